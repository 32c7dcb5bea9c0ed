//! The data file: a journal that a kill at any moment leaves readable.
//!
//! The first line names the format; each further line is the [`Changes`] of one call in one region, as JSON. A line
//! is on the disk before its call is answered. A kill can cut the last line short: that call was never answered, so
//! the line is dropped when the file is read. When the file has grown long, and at every start, the whole state is
//! written to a new file beside it, which then takes its name. The file is locked while it is in use.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::region::{Changes, Place, Region};

/// The journal is rewritten when it is longer than this and than twice what it was when it was last rewritten; so
/// rewriting costs each line a constant share.
const SHORT_ENOUGH: u64 = 4 << 20;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
}

impl Header {
    fn current() -> Self {
        Self { format: "elasticache-emulator".to_owned(), version: 1 }
    }
}

pub(crate) struct Store {
    path: PathBuf,
    file: File,
    /// Length up to the last whole line.
    length: u64,
    length_when_rewritten: u64,
}

impl Store {
    /// Opens or makes a data file and puts what it says into `regions`.
    pub(crate) fn open(path: &Path, regions: &mut BTreeMap<Place, Region>) -> io::Result<Self> {
        let in_words = |error: io::Error| {
            io::Error::new(error.kind(), format!("data file '{}' cannot be used: {error}", path.display()))
        };
        let mut file = open_locked(path, false).map_err(in_words)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(in_words)?;
        read(&content, regions)
            .map_err(|sentence| in_words(io::Error::new(io::ErrorKind::InvalidData, sentence)))?;
        let mut store = Self { path: path.to_owned(), file, length: 0, length_when_rewritten: 0 };
        store.rewrite(regions.values()).map_err(io::Error::other)?;
        Ok(store)
    }

    /// Adds a line; it is on the disk when this returns.
    pub(crate) fn append(&mut self, changes: &Changes) -> Result<(), String> {
        let result = line(changes).and_then(|line| {
            self.file.write_all(&line)?;
            self.file.sync_data()?;
            Ok(line.len() as u64)
        });
        match result {
            Ok(length) => {
                self.length += length;
                Ok(())
            }
            Err(error) => {
                // Half a line in the middle would make the file unreadable. If this fails too, so does the next
                // write, most likely; nothing more can be done here.
                let _ = self
                    .file
                    .set_len(self.length)
                    .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
                Err(self.in_words(&error))
            }
        }
    }

    pub(crate) fn is_long(&self) -> bool {
        self.length > SHORT_ENOUGH.max(2 * self.length_when_rewritten)
    }

    /// Replaces the file by one that says only what is.
    pub(crate) fn rewrite<'a>(&mut self, regions: impl Iterator<Item = &'a Region>) -> Result<(), String> {
        match self.replace(regions) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.in_words(&error)),
        }
    }

    fn replace<'a>(&mut self, regions: impl Iterator<Item = &'a Region>) -> io::Result<()> {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(".new");
        let name = PathBuf::from(name);
        let mut writer = BufWriter::new(open_locked(&name, true)?);
        writer.write_all(&line(&Header::current())?)?;
        for region in regions {
            writer.write_all(&line(&region.snapshot())?)?;
        }
        let mut file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_data()?;
        std::fs::rename(&name, &self.path)?;
        // The new name itself has to be on the disk too.
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        self.length = file.stream_position()?;
        self.length_when_rewritten = self.length;
        self.file = file;
        Ok(())
    }

    fn in_words(&self, error: &io::Error) -> String {
        format!("data file '{}' cannot be written: {error}", self.path.display())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // A process that another thread has just started may hold a copy of the file for a moment, and the lock with it.
        // If this fails, the lock goes with the last copy.
        let _ = self.file.unlock();
    }
}

fn open_locked(path: &Path, truncate: bool) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(truncate).open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::WouldBlock, "another process is using it"))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

fn line(content: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(content)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads a data file's content; the error says why it is none.
fn read(content: &[u8], regions: &mut BTreeMap<Place, Region>) -> Result<(), String> {
    if content.is_empty() {
        return Ok(());
    }
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').enumerate();
    let header = lines.next().and_then(|(_, line)| serde_json::from_slice::<Header>(line).ok());
    if header != Some(Header::current()) {
        return Err("it is not a data file of this emulator".to_owned());
    }
    for (number, line) in lines.filter(|(_, line)| line.ends_with(b"\n")) {
        let changes: Changes = serde_json::from_slice(line)
            .map_err(|error| format!("line {} is damaged: {error}", number + 1))?;
        let place = changes.place.clone();
        regions.entry(place.clone()).or_insert_with(|| Region::empty(place)).restore(changes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{ACTIVE, DELETING, Group, MODIFYING, Pending, Phase, User};

    fn place() -> Place {
        Place { account: "000000000000".to_owned(), region: "us-east-1".to_owned() }
    }

    fn user(id: &str, phase: Phase) -> User {
        User { phase, ..User::open(id) }
    }

    fn reopened(path: &Path) -> Region {
        let mut regions = BTreeMap::new();
        Store::open(path, &mut regions).unwrap();
        regions.remove(&place()).unwrap()
    }

    fn append(path: &Path, region: &mut Region) {
        let mut store = Store::open(path, &mut BTreeMap::new()).unwrap();
        store.append(&region.unwritten()).unwrap();
        region.written();
    }

    #[test]
    fn a_data_file_may_be_used_again_although_a_new_process_still_has_a_copy_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let store = Store::open(&path, &mut BTreeMap::new()).unwrap();
        let copy = store.file.try_clone().unwrap();
        drop(store);
        drop(Store::open(&path, &mut BTreeMap::new()).unwrap());
        drop(copy);
    }

    #[test]
    fn records_before_the_cut_are_read_wherever_the_data_file_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let mut region = Region::new(place());
        let mut states = vec![Region::new(place()).snapshot()];
        let mut bytes;
        {
            let mut store = Store::open(&path, &mut BTreeMap::new()).unwrap();
            store.append(&region.unwritten()).unwrap();
            region.written();
            region.put_user(user("a", Phase::until(MODIFYING, 50)));
            store.append(&region.unwritten()).unwrap();
            region.written();
            states.push(region.snapshot());
            region.put_group(Group { user_ids: vec!["a".to_owned()], ..Group::new("g") });
            region.remove_user("default");
            store.append(&region.unwritten()).unwrap();
            states.push(region.snapshot());
            bytes = std::fs::read(&path).unwrap();
        }
        let whole_lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        while whole_lines(&bytes) > 1 {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(reopened(&path).snapshot(), states[whole_lines(&bytes) - 2], "{} bytes", bytes.len());
            bytes.pop();
        }
    }

    #[test]
    fn time_that_passed_while_the_emulator_was_stopped_is_caught_up_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let mut region = Region::new(place());
        region.put_user(user("a", Phase::until(MODIFYING, 50)));
        region.put_user(user("b", Phase::until(DELETING, 60)));
        region.put_group(Group {
            user_ids: vec!["a".to_owned(), "b".to_owned()],
            pending: Some(Pending { add: vec!["default".to_owned()], remove: vec!["a".to_owned()] }),
            phase: Phase::until(MODIFYING, 70),
            ..Group::new("g")
        });
        append(&path, &mut region);
        let mut again = reopened(&path);
        again.settle(70);
        region.settle(70);
        assert_eq!(again.snapshot(), region.snapshot());
        assert_eq!(again.user("a").unwrap().phase.status, ACTIVE);
        assert!(again.user("b").is_none());
        assert_eq!(again.group("g").unwrap().user_ids, ["default"]);
        assert_eq!(again.groups_of("default").collect::<Vec<_>>(), ["g"]);
        assert_eq!(again.groups_of("a").count(), 0);
    }

    #[test]
    fn a_file_that_is_no_data_file_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::write(&path, "my novel\n").unwrap();
        let error = Store::open(&path, &mut BTreeMap::new()).err().unwrap().to_string();
        assert!(error.contains("not a data file"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "my novel\n");
    }

    #[test]
    fn a_data_file_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let _store = Store::open(&path, &mut BTreeMap::new()).unwrap();
        let error = Store::open(&path, &mut BTreeMap::new()).err().unwrap().to_string();
        assert!(error.contains("another process"), "{error}");
    }

    #[test]
    fn a_long_data_file_is_rewritten_without_loss() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        let mut region = Region::new(place());
        let mut store = Store::open(&path, &mut BTreeMap::new()).unwrap();
        while !store.is_long() {
            region.edit_user("default", |user| user.body.access_string = "x".repeat(1 << 18));
            store.append(&region.unwritten()).unwrap();
        }
        store.rewrite(std::iter::once(&region)).unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
        region.put_user(user("after", Phase::active()));
        store.append(&region.unwritten()).unwrap();
        drop(store);
        assert_eq!(reopened(&path).snapshot(), region.snapshot());
    }
}
