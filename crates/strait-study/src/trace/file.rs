//! A file that is written as it comes and appears whole or not at all.
//!
//! In: bytes. Out: the file, renamed into place at the end. Never replaces what is there
//! before all is written; what is not a plain file (a pipe, a device) is written in place.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where a trace's bytes go.
pub trait Sink: Write {
    /// The file that errors name.
    fn path(&self) -> PathBuf;
}

impl Sink for io::Sink {
    fn path(&self) -> PathBuf {
        PathBuf::new()
    }
}

impl Sink for Vec<u8> {
    fn path(&self) -> PathBuf {
        PathBuf::new()
    }
}

/// Bytes held before they are written.
const BUFFER: usize = 1 << 20;

/// A file under construction.
pub struct Output {
    file: BufWriter<File>,
    place: PathBuf,
    /// What is renamed to `place` in the end, and removed if that never happens.
    temporary: Option<PathBuf>,
}

impl Output {
    /// Starts a file beside `place`.
    ///
    /// # Errors
    /// That no file can be created there.
    pub fn create(place: &Path) -> io::Result<Output> {
        let (file, temporary) = match fs::metadata(place) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => {
                (fs::OpenOptions::new().write(true).open(place)?, None)
            }
            _ => {
                let name = place.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
                let mut hidden = std::ffi::OsString::from(".");
                hidden.push(name);
                hidden.push(format!(".{}.tmp", std::process::id()));
                let temporary = place.with_file_name(hidden);
                (File::create(&temporary)?, Some(temporary))
            }
        };
        Ok(Output {
            file: BufWriter::with_capacity(BUFFER, file),
            place: place.to_path_buf(),
            temporary,
        })
    }

    /// Writes out what is left and puts the file into its place.
    ///
    /// # Errors
    /// That the rest could not be written; the place is then as it was.
    pub fn commit(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some(temporary) = &self.temporary {
            self.file.get_ref().sync_all()?;
            fs::rename(temporary, &self.place)?;
            self.temporary = None;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for Output {
    fn path(&self) -> PathBuf {
        self.place.clone()
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // What can't be removed is beyond help.
            let _ = fs::remove_file(temporary);
        }
    }
}
