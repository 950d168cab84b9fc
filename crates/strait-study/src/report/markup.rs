//! The few elements that a report is made of.
//!
//! In: text from anywhere. Out: HTML in which that text is only ever text. Never holds a script, and
//! never asks for anything from elsewhere.

/// Text as HTML, for content and for quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            '\n' | '\t' => out.push(c),
            c if c.is_control() || ('\u{fdd0}'..='\u{fdef}').contains(&c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Text in which words between backticks are code.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, piece) in text.split('`').enumerate() {
        // A backtick without its other half is a backtick.
        let code = index % 2 == 1 && index < text.matches('`').count();
        match code {
            true => out += &format!("<code>{}</code>", escape(piece)),
            false if index % 2 == 1 => out += &format!("`{}", escape(piece)),
            false => out += &escape(piece),
        }
    }
    out
}

/// JSON as the content of a `script` element that is no script: nothing in it ends the element.
pub(super) fn json(value: &serde_json::Value) -> String {
    value
        .to_string()
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// A text as the address of a file to save.
pub(super) fn data_address(kind: &str, text: &str) -> String {
    let mut out = format!("data:{kind};charset=utf-8,");
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b',' => {
                out.push(char::from(byte));
            }
            other => out += &format!("%{other:02X}"),
        }
    }
    out
}

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// Text.
    Text,
    /// Numbers, to the right.
    Number,
}

/// A table that scrolls within its own box where the page is narrower. Cells are HTML.
pub(super) fn table(caption: &str, heads: &[(&str, Column)], rows: &[Vec<String>]) -> String {
    let class = |column: Column| match column {
        Column::Text => "",
        Column::Number => " class=\"n\"",
    };
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n<thead><tr>",
        escape(caption)
    );
    for (name, column) in heads {
        out += &format!("<th scope=\"col\"{}>{}</th>", class(*column), escape(name));
    }
    out += "</tr></thead>\n<tbody>\n";
    for row in rows {
        out += "<tr>";
        for (index, (cell, (_, column))) in row.iter().zip(heads).enumerate() {
            match index {
                0 => out += &format!("<th scope=\"row\"{}>{cell}</th>", class(*column)),
                _ => out += &format!("<td{}>{cell}</td>", class(*column)),
            }
        }
        out += "</tr>\n";
    }
    out + "</tbody>\n</table>\n</div>\n"
}

/// A table in another way: `fit` no wider than its content, `stack` one cell below the other where
/// the page is narrow.
pub(super) fn classed(class: &str, table: &str) -> String {
    table.replacen("<table>", &format!("<table class=\"{class}\">"), 1)
}

/// A section with its heading.
pub(super) fn section(id: &str, heading: &str, content: &str) -> String {
    format!(
        "<section id=\"{id}\" aria-labelledby=\"{id}-h\">\n<h2 id=\"{id}-h\">{}</h2>\n{content}</section>\n",
        escape(heading)
    )
}

/// A list of sentences.
pub(super) fn list(items: &[String]) -> String {
    let items: String = items.iter().map(|i| format!("<li>{i}</li>\n")).collect();
    format!("<ul>\n{items}</ul>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(
            escape("<b a='1'>&\"\u{0}\u{7}"),
            "&lt;b a=&#39;1&#39;&gt;&amp;&quot;\u{fffd}\u{fffd}"
        );
        assert_eq!(prose("a `b<c>` d"), "a <code>b&lt;c&gt;</code> d");
        assert_eq!(prose("it`s `x`"), "it<code>s </code>x`");
        let value = serde_json::json!({ "</script><script>alert(1)": "<!-- & \u{2028}" });
        let text = json(&value);
        assert!(!text.contains('<') && !text.contains('&'));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
        assert_eq!(
            data_address("text/csv", "a,\"b\"\n#é"),
            "data:text/csv;charset=utf-8,a,%22b%22%0A%23%C3%A9"
        );
    }
}
