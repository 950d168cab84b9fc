//! Files that appear whole or not at all.
//!
//! In: names and contents for one folder. Out: the files, written beside their place and
//! then renamed. Never leaves half a file, and never replaces any before all are written.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("can't write `{}`: {source}", path.display())]
pub struct WriteError {
    /// The file or folder at fault.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What names of temporary files have in them: this process, and bits by chance, since processes of two
/// machines that share a folder may have one number.
pub(crate) fn mark() -> &'static str {
    static MARK: OnceLock<String> = OnceLock::new();
    MARK.get_or_init(|| {
        let chance = RandomState::new().hash_one(0u8) as u32;
        format!("{}-{chance:08x}", std::process::id())
    })
}

/// Removes temporary files that were not renamed.
struct Temporary(Vec<(PathBuf, PathBuf)>);

impl Drop for Temporary {
    fn drop(&mut self) {
        for (temporary, _) in &self.0 {
            // What can't be removed was either never created or is beyond help.
            let _ = fs::remove_file(temporary);
        }
    }
}

/// Writes `(name, contents)` into `folder`, which is created if need be. `keep_going` is
/// asked before anything becomes visible; when it says no, nothing is written and the
/// answer is `Ok(false)`.
///
/// # Errors
/// The first file or folder that could not be written; none of the others is then replaced,
/// unless renaming itself fails half-way.
pub fn write_all<C: AsRef<[u8]>>(
    folder: &Path,
    files: &[(String, C)],
    keep_going: &dyn Fn() -> bool,
) -> Result<bool, WriteError> {
    let fail = |path: &Path| {
        let path = path.to_path_buf();
        move |source| WriteError { path, source }
    };
    fs::create_dir_all(folder).map_err(fail(folder))?;
    let mut written = Temporary(Vec::new());
    for (name, contents) in files {
        let place = target(&folder.join(name))?;
        let temporary = beside(&place);
        written.0.push((temporary.clone(), place.clone()));
        let mut file = fs::File::create(&temporary).map_err(fail(&place))?;
        (file.write_all(contents.as_ref()))
            .and_then(|()| file.sync_all())
            .map_err(fail(&place))?;
    }
    if !keep_going() {
        return Ok(false);
    }
    for (temporary, place) in &written.0 {
        fs::rename(temporary, place).map_err(fail(place))?;
    }
    written.0.clear();
    Ok(true)
}

/// The file that is replaced when a path is written: that at the end of its links. Renaming onto
/// a link would leave its target stale, onto a device or a pipe would do away with it.
fn target(path: &Path) -> Result<PathBuf, WriteError> {
    let fail = |source| WriteError {
        path: path.to_path_buf(),
        source,
    };
    let place = match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => fs::canonicalize(path).map_err(fail)?,
        _ => path.to_path_buf(),
    };
    match fs::metadata(&place) {
        Ok(found) if !found.is_file() => Err(fail(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no plain file but a folder, a device, a pipe or a socket; name a file",
        ))),
        _ => Ok(place),
    }
}

/// The temporary file of a place, in the same folder so that it can be renamed.
fn beside(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    place.with_file_name(format!(".{name}.{}.tmp", mark()))
}

/// Tests, without leaving a trace, whether a file can be written: what stands in its place may be
/// replaced, and its folder takes files.
///
/// # Errors
/// The file or folder at fault.
pub fn probe_file(path: &Path) -> Result<(), WriteError> {
    let place = target(path)?;
    probe(place.parent().unwrap_or(Path::new("")))
}

/// Tests, without leaving a trace, whether files can be created in `folder` or, where it
/// does not exist yet, in its nearest ancestor that does.
///
/// # Errors
/// The folder in which no file can be created.
pub fn probe(folder: &Path) -> Result<(), WriteError> {
    let mut nearest = folder;
    while !nearest.as_os_str().is_empty() && fs::symlink_metadata(nearest).is_err() {
        nearest = nearest.parent().unwrap_or(Path::new(""));
    }
    if nearest.as_os_str().is_empty() {
        nearest = Path::new(".");
    }
    let file = nearest.join(format!(".strait-probe.{}.tmp", mark()));
    let probed = fs::File::create(&file).and_then(|_| fs::remove_file(&file));
    probed.map_err(|source| WriteError {
        path: nearest.to_path_buf(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> Vec<(String, String)> {
        vec![
            ("a.csv".to_owned(), "1\n".to_owned()),
            ("b.csv".to_owned(), "2\n".to_owned()),
        ]
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_appear_in_a_new_folder_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("x/y");
        assert!(write_all(&folder, &files(), &|| true).unwrap());
        assert_eq!(names(&folder), ["a.csv", "b.csv"]);
        assert_eq!(fs::read_to_string(folder.join("b.csv")).unwrap(), "2\n");
    }

    #[test]
    fn probing_leaves_no_trace() {
        let root = tempfile::tempdir().unwrap();
        probe(&root.path().join("new/folder")).unwrap();
        assert!(names(root.path()).is_empty());
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(probe(&file.join("below")).unwrap_err().path, file);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_its_target_is_written() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("elsewhere");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("b"), "old").unwrap();
        let link = root.path().join("b.csv");
        std::os::unix::fs::symlink("elsewhere/b", &link).unwrap();
        probe_file(&link).unwrap();
        assert!(write_all(root.path(), &files(), &|| true).unwrap());
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(folder.join("b")).unwrap(), "2\n");
        assert_eq!(names(&folder), ["b"]);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_left_alone() {
        use std::os::unix::fs::FileTypeExt;
        let root = tempfile::tempdir().unwrap();
        let socket = root.path().join("b.csv");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert_eq!(probe_file(&socket).unwrap_err().path, socket);
        let error = write_all(root.path(), &files(), &|| true).unwrap_err();
        assert!(error.to_string().contains("no plain file"), "{error}");
        assert!(fs::metadata(&socket).unwrap().file_type().is_socket());
        assert_eq!(names(root.path()), ["b.csv"]);
    }

    #[test]
    fn a_stop_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        assert!(!write_all(root.path(), &files(), &|| false).unwrap());
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn a_failure_names_its_path_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write_all(&file, &files(), &|| true).unwrap_err();
        assert_eq!(error.path, file);
        // A folder in the place of the second file.
        fs::create_dir(root.path().join("b.csv")).unwrap();
        fs::write(root.path().join("b.csv/x"), "").unwrap();
        let error = write_all(root.path(), &files(), &|| true).unwrap_err();
        assert_eq!(error.path, root.path().join("b.csv"));
        assert!(
            names(root.path())
                .iter()
                .all(|name| !name.ends_with(".tmp"))
        );
    }
}
