//! Broken model files: a clear error, never a crash.

use std::io::Write;

use inference::{Engine, EngineOptions, Error};
use tempfile::NamedTempFile;

use crate::support::tiny;

fn load(bytes: &[u8]) -> Result<Engine, Error> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    Engine::load(file.path(), &EngineOptions { threads: Some(1), ..EngineOptions::default() })
}

fn refusal(bytes: &[u8]) -> String {
    match load(bytes) {
        Err(Error::InvalidFile(message)) => message,
        other => panic!("{other:?}"),
    }
}

/// A header with these counts of tensors and keys.
fn header(tensors: u64, keys: u64) -> Vec<u8> {
    [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &tensors.to_le_bytes(), &keys.to_le_bytes()].concat()
}

fn text(content: &str) -> Vec<u8> {
    [&(content.len() as u64).to_le_bytes(), content.as_bytes()].concat()
}

#[test]
fn what_is_no_model_is_said_to_be_none() {
    assert!(refusal(b"").contains("ends too early"));
    assert!(refusal(b"PK\x03\x04 something else").contains("GGUF"));
    assert!(refusal(b"GGUF\x09\0\0\0").contains("version 9"));
    assert!(refusal(&header(0, 0)).contains("general.architecture"));
    assert!(matches!(
        Engine::load(std::path::Path::new("no/such/file"), &EngineOptions::default()),
        Err(Error::Io(message)) if message.contains("no/such/file")
    ));
}

#[test]
fn huge_counts_and_lengths_allocate_nothing() {
    assert!(refusal(&header(u64::MAX, 0)).contains("tensors"));
    assert!(refusal(&header(0, u64::MAX)).contains("metadata keys"));
    let key = |kind: u32, rest: &[u8]| [header(0, 1), text("k"), kind.to_le_bytes().to_vec(), rest.to_vec()].concat();
    assert!(refusal(&key(8, &u64::MAX.to_le_bytes())).contains("a text of"));
    let list = [8_u32.to_le_bytes().as_slice(), &(1_u64 << 60).to_le_bytes()].concat();
    assert!(refusal(&key(9, &list)).contains("longer than the file"));
    assert!(refusal(&key(99, b"")).contains("unknown kind"));
    let tensor = |sizes: &[u64], encoding: u32| {
        let mut bytes = [header(1, 0), text("t"), (sizes.len() as u32).to_le_bytes().to_vec()].concat();
        bytes.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        bytes.extend(encoding.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        bytes
    };
    assert!(refusal(&tensor(&[1 << 40, 1 << 40], 0)).contains("impossible"));
    assert!(refusal(&tensor(&[33], 2)).contains("impossible"));
    assert!(refusal(&tensor(&[1 << 20], 0)).contains("outside the file"));
    assert!(refusal(&tensor(&[32], 999)).contains("encoding"));
    assert!(refusal(&tensor(&[1; 9], 0)).contains("dimensions"));
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let whole = std::fs::read(tiny()).unwrap();
    for end in [3, 20, 200, 5_000, 1_000_000, whole.len() / 2, whole.len() - 1] {
        refusal(&whole[..end]);
    }
}

#[test]
fn flipped_bytes_never_crash() {
    let whole = std::fs::read(tiny()).unwrap();
    // The first kilobytes hold the metadata that shapes everything else.
    for at in (8..1_800).step_by(29) {
        let mut bytes = whole[..2_500_000.min(whole.len())].to_vec();
        bytes[at] ^= 0xff;
        assert!(load(&bytes).is_err(), "byte {at}");
    }
}
