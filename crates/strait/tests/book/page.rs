//! A page of the book as what can be tested: its fenced blocks, its figures, and the marks before them.
//!
//! In: Markdown. Out: a [`Page`], or what is wrong with it. Never runs a command.
//!
//! A mark is an HTML comment on the line before a block, which readers don't see:
//!
//! | mark | before | means |
//! |---|---|---|
//! | `<!-- not run: REASON -->` | `sh`, `console` | nothing here can run it; the reason is counted and printed |
//! | `<!-- file: NAME -->` | any other block | what follows finds the block as a file of that name |
//! | `<!-- figure: PATH -->` | an image | the image, and its `.csv` where there is one, are what the commands above wrote to PATH |

use std::path::PathBuf;

/// What a block is fenced as. All others are read only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Commands alone.
    Sh,
    /// Commands, each after `$ `, with what they print.
    Console,
    /// A file or a text.
    Other,
}

/// One fenced block.
#[derive(Debug)]
pub struct Block {
    pub kind: Kind,
    /// Number of its first line after the fence, from 1.
    pub line: usize,
    pub text: String,
    pub not_run: Option<String>,
    pub file: Option<String>,
}

/// One image that the commands of the page make.
#[derive(Debug)]
pub struct Figure {
    pub line: usize,
    /// The image, relative to the page.
    pub image: String,
    /// What the commands wrote.
    pub made: String,
}

/// What a reader meets, in order.
#[derive(Debug)]
pub enum Part {
    Block(Block),
    Figure(Figure),
}

/// A page.
#[derive(Debug)]
pub struct Page {
    pub path: PathBuf,
    pub text: String,
    pub parts: Vec<Part>,
}

/// Languages that a block may have.
const LANGUAGES: [&str; 11] = [
    "sh", "console", "text", "toml", "json", "csv", "python", "yaml", "rust", "sql", "",
];

impl Page {
    /// Reads a page.
    pub fn parse(path: PathBuf, text: String) -> Result<Page, String> {
        let mut parts = Vec::new();
        let mut mark: Option<(&str, &str)> = None;
        let mut lines = text.lines().enumerate();
        let at =
            |number: usize, what: &str| Err(format!("{}:{}: {what}", path.display(), number + 1));
        while let Some((number, line)) = lines.next() {
            if let Some(language) = line.strip_prefix("```") {
                if !LANGUAGES.contains(&language) {
                    return at(
                        number,
                        &format!("a block of `{language}`, which the test doesn't know"),
                    );
                }
                let mut block = Block {
                    kind: match language {
                        "sh" => Kind::Sh,
                        "console" => Kind::Console,
                        _ => Kind::Other,
                    },
                    line: number + 2,
                    text: String::new(),
                    not_run: None,
                    file: None,
                };
                loop {
                    match lines.next() {
                        Some((_, "```")) => break,
                        Some((_, line)) => block.text += &format!("{line}\n"),
                        None => return at(number, "a block without an end"),
                    }
                }
                let runs = block.kind != Kind::Other;
                match mark.take() {
                    None => {}
                    Some(("not run", why)) if runs => block.not_run = Some(why.to_owned()),
                    Some(("file", name)) if !runs => block.file = Some(name.to_owned()),
                    Some((mark, _)) => {
                        return at(number, &format!("`{mark}` says nothing of such a block"));
                    }
                }
                // What looks like a command is in a block that is run.
                if !runs && block.file.is_none() {
                    for (offset, line) in block.text.lines().enumerate() {
                        if line.starts_with("strait ") || line.starts_with("$ ") {
                            return at(
                                number + 1 + offset,
                                "a command belongs in `sh` or `console`",
                            );
                        }
                    }
                }
                parts.push(Part::Block(block));
                continue;
            }
            if line.starts_with("    strait ") || line.starts_with("    $ ") {
                return at(
                    number,
                    "a command belongs in a fenced block, `sh` or `console`",
                );
            }
            if let Some((key, value)) = comment(line) {
                mark = Some((key, value));
                continue;
            }
            match mark.take() {
                None => {}
                Some(("figure", made)) => match line.strip_prefix("![").and_then(image) {
                    Some(image) => parts.push(Part::Figure(Figure {
                        line: number + 1,
                        image: image.to_owned(),
                        made: made.to_owned(),
                    })),
                    None => return at(number, "`figure` stands before an image"),
                },
                Some((key, _)) => return at(number, &format!("`{key}` stands before a block")),
            }
        }
        Ok(Page { parts, path, text })
    }

    /// Its blocks.
    pub fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.parts.iter().filter_map(|part| match part {
            Part::Block(block) => Some(block),
            Part::Figure(_) => None,
        })
    }
}

/// A mark's name and value, if the line is one.
fn comment(line: &str) -> Option<(&str, &str)> {
    let inner = line.strip_prefix("<!--")?.strip_suffix("-->")?;
    let (key, value) = inner.split_once(':')?;
    let (key, value) = (key.trim(), value.trim());
    (["not run", "file", "figure"].contains(&key) && !value.is_empty()).then_some((key, value))
}

/// The address of an image whose `![` was read.
fn image(rest: &str) -> Option<&str> {
    rest.split_once("](")?.1.strip_suffix(')')
}

/// One command of a block, with what the page shows of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Step {
    /// What the shell gets.
    pub command: String,
    /// Exit status that the page states; 0 where it says none.
    pub status: i32,
    /// Shown output; none in `sh` blocks.
    pub shown: Option<Vec<String>>,
    /// Lines of the block before its output, and after it.
    pub range: (usize, usize),
}

/// The commands of a block, in order. A command goes on over lines that end in `\` and over a here-document.
pub fn steps(block: &Block) -> Result<Vec<Step>, String> {
    let lines: Vec<&str> = block.text.lines().collect();
    let mut steps: Vec<Step> = Vec::new();
    let mut index = 0;
    while index < lines.len() {
        let line = lines[index];
        let first = match block.kind {
            Kind::Sh if line.trim().is_empty() || line.starts_with('#') => {
                index += 1;
                continue;
            }
            Kind::Sh => line,
            _ => match line.strip_prefix("$ ") {
                Some(command) => command,
                None => {
                    return Err(format!(
                        "line {}: a `console` block starts with `$ `",
                        block.line + index
                    ));
                }
            },
        };
        let mut command = first.to_owned();
        index += 1;
        while command.ends_with('\\') && index < lines.len() {
            command += &format!("\n{}", lines[index]);
            index += 1;
        }
        if let Some(end) = here_document(first) {
            while index < lines.len() {
                command += &format!("\n{}", lines[index]);
                index += 1;
                if lines[index - 1] == end {
                    break;
                }
            }
        }
        let mut status = 0;
        let mut shown = None;
        let mut range = (index, index);
        if block.kind == Kind::Console {
            if let Some(stated) = lines.get(index).and_then(|line| line.strip_prefix("? ")) {
                status = (stated.trim().parse())
                    .map_err(|_| format!("line {}: no exit status", block.line + index))?;
                index += 1;
            }
            let start = index;
            while index < lines.len() && !lines[index].starts_with("$ ") {
                index += 1;
            }
            range = (start, index);
            let mut output: Vec<String> = lines[start..index]
                .iter()
                .map(|line| (*line).to_owned())
                .collect();
            while output.last().is_some_and(|line| line.trim().is_empty()) {
                output.pop();
            }
            if output.is_empty() {
                return Err(format!(
                    "line {}: no output is shown: make the block `sh`",
                    block.line + start
                ));
            }
            shown = Some(output);
        }
        steps.push(Step {
            command,
            status,
            shown,
            range,
        });
    }
    if steps.is_empty() {
        return Err(format!("line {}: a block without a command", block.line));
    }
    Ok(steps)
}

/// The word that ends the here-document which the command opens.
fn here_document(command: &str) -> Option<&str> {
    let word = command.split_once("<<")?.1.split_whitespace().next()?;
    Some(word.trim_matches(|mark| mark == '\'' || mark == '"' || mark == '-'))
}
