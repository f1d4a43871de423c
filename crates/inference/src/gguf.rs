//! Reads GGUF files (versions 2 and 3): metadata first, tensors on demand.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. A file is untrusted input:
//! every count and length is checked against what is left of the file before anything is allocated.
//! This module knows no model and no arithmetic.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::Error;
use crate::quant::Encoding;

/// Keys a file may have; real ones have a few dozen.
const MAX_KEYS: u64 = 4096;
/// Tensors a file may have; real ones have a few hundred.
const MAX_TENSORS: u64 = 65_536;
/// Bytes of metadata and tensor table together; real ones have up to some twenty million.
const MAX_HEADER: u64 = 128 << 20;
/// Dimensions of a tensor, by the format.
const MAX_DIMENSIONS: u32 = 4;
/// Bytes of a key or of a tensor's name.
const MAX_NAME: u64 = 65_535;

/// One metadata value. Integers of every width are one kind, and so are floats.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Float(f64),
    Bool(bool),
    Text(String),
    Integers(Vec<i64>),
    Floats(Vec<f64>),
    Texts(Vec<String>),
}

/// Where a tensor lies and what it looks like.
#[derive(Debug, Clone)]
pub(crate) struct Tensor {
    /// Rows: the product of every dimension but the first.
    pub(crate) rows: usize,
    /// Values in a row: the dimension that is contiguous in the file.
    pub(crate) columns: usize,
    pub(crate) encoding: Encoding,
    offset: u64,
    bytes: usize,
}

/// An open file with its metadata read.
#[derive(Debug)]
pub(crate) struct Gguf {
    file: File,
    values: HashMap<String, Value>,
    tensors: HashMap<String, Tensor>,
}

impl Gguf {
    /// Opens a file and reads its metadata and the table of tensors, not the tensors.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| Error::Io(format!("{}: {e}", path.display())))?;
        let length = file.metadata()?.len();
        let mut reader = Reader { inner: BufReader::with_capacity(1 << 20, file), left: length.min(MAX_HEADER) };

        if &reader.array::<4>()? != b"GGUF" {
            return Err(Error::file("it does not begin with \"GGUF\""));
        }
        let version = reader.u32()?;
        if !(2..=3).contains(&version) {
            return Err(Error::file(format!("GGUF version {version} is not supported")));
        }
        let tensor_count = reader.count(MAX_TENSORS, "tensors")?;
        let key_count = reader.count(MAX_KEYS, "metadata keys")?;

        let mut values = HashMap::new();
        for _ in 0..key_count {
            let key = reader.text(MAX_NAME)?;
            let kind = reader.u32()?;
            let value = reader.value(kind)?;
            values.insert(key, value);
        }

        let mut tensors = HashMap::new();
        for _ in 0..tensor_count {
            let (name, tensor) = reader.tensor()?;
            tensors.insert(name, tensor);
        }

        let alignment = match values.get("general.alignment") {
            None => 32,
            Some(Value::Integer(n @ 1..=65_536)) => n.unsigned_abs(),
            Some(other) => return Err(Error::file(format!("general.alignment is {other:?}"))),
        };
        let start = (length.min(MAX_HEADER) - reader.left).next_multiple_of(alignment);
        for (name, tensor) in &mut tensors {
            let inside = start
                .checked_add(tensor.offset)
                .filter(|at| at.checked_add(tensor.bytes as u64).is_some_and(|end| end <= length));
            tensor.offset = inside
                .ok_or_else(|| Error::file(format!("tensor {name} lies outside the file (is the file truncated?)")))?;
        }
        // Tensors that share bytes would make a small file need any amount of memory.
        let total = tensors.values().try_fold(0_u64, |sum, t| sum.checked_add(t.bytes as u64));
        if total.is_none_or(|bytes| bytes > length) {
            return Err(Error::file("its tensors overlap"));
        }
        Ok(Self { file: reader.inner.into_inner(), values, tensors })
    }

    /// A tensor's description, if the file has it.
    pub(crate) fn tensor(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// The bytes of a tensor, as they are in the file.
    pub(crate) fn read(&mut self, tensor: &Tensor) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; tensor.bytes];
        self.file.seek(SeekFrom::Start(tensor.offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The number of values in all tensors.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors.values().map(|t| (t.rows * t.columns) as u64).sum()
    }

    /// Removes and returns a value, so that large ones are not copied.
    pub(crate) fn take(&mut self, key: &str) -> Option<Value> {
        self.values.remove(key)
    }

    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.values.get(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    pub(crate) fn float(&self, key: &str) -> Option<f64> {
        match self.values.get(key) {
            Some(Value::Float(x)) => Some(*x),
            _ => None,
        }
    }

    /// A value that counts something: an integer that is not negative.
    pub(crate) fn size(&self, key: &str) -> Option<usize> {
        match self.values.get(key) {
            Some(Value::Integer(n)) => usize::try_from(*n).ok(),
            _ => None,
        }
    }
}

/// Reads little-endian values and never past the end of the file.
struct Reader {
    inner: BufReader<File>,
    left: u64,
}

impl Reader {
    fn spend(&mut self, bytes: u64) -> Result<(), Error> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| Error::file("it ends too early"))?;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.spend(N as u64)?;
        let mut bytes = [0; N];
        self.inner.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn count(&mut self, most: u64, of: &str) -> Result<u64, Error> {
        let count = self.u64()?;
        if count > most {
            return Err(Error::file(format!("{count} {of}; at most {most} are accepted")));
        }
        Ok(count)
    }

    fn text(&mut self, most: u64) -> Result<String, Error> {
        let length = self.u64()?;
        if length > most {
            return Err(Error::file(format!("a text of {length} bytes")));
        }
        self.spend(length)?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| Error::file("a text is too long"))?];
        self.inner.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| Error::file("a text is not UTF-8"))
    }

    /// An integer of the given kind, or nothing if the kind is not an integer.
    fn integer(&mut self, kind: u32) -> Result<Option<i64>, Error> {
        Ok(Some(match kind {
            0 => i64::from(self.array::<1>()?[0]),
            1 => i64::from(i8::from_le_bytes(self.array()?)),
            2 => i64::from(u16::from_le_bytes(self.array()?)),
            3 => i64::from(i16::from_le_bytes(self.array()?)),
            4 => i64::from(self.u32()?),
            5 => i64::from(i32::from_le_bytes(self.array()?)),
            7 => i64::from(self.array::<1>()?[0] != 0),
            10 => i64::try_from(self.u64()?).map_err(|_| Error::file("an integer is too large"))?,
            11 => i64::from_le_bytes(self.array()?),
            _ => return Ok(None),
        }))
    }

    fn float(&mut self, kind: u32) -> Result<f64, Error> {
        match kind {
            6 => Ok(f64::from(f32::from_le_bytes(self.array()?))),
            12 => Ok(f64::from_le_bytes(self.array()?)),
            _ => Err(Error::file(format!("metadata of unknown kind {kind}"))),
        }
    }

    fn value(&mut self, kind: u32) -> Result<Value, Error> {
        match kind {
            7 => Ok(Value::Bool(self.array::<1>()?[0] != 0)),
            8 => Ok(Value::Text(self.text(self.left)?)),
            9 => self.list(),
            _ => match self.integer(kind)? {
                Some(n) => Ok(Value::Integer(n)),
                None => Ok(Value::Float(self.float(kind)?)),
            },
        }
    }

    fn list(&mut self) -> Result<Value, Error> {
        let kind = self.u32()?;
        let count = self.u64()?;
        let least = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10..=12 => 8,
            _ => return Err(Error::file(format!("a list of unknown kind {kind}"))),
        };
        if count.checked_mul(least).is_none_or(|bytes| bytes > self.left) {
            return Err(Error::file("a list is longer than the file"));
        }
        // No reservation from the count alone: a list grows only as the file delivers.
        Ok(match kind {
            8 => Value::Texts((0..count).map(|_| self.text(self.left)).collect::<Result<_, _>>()?),
            6 | 12 => Value::Floats((0..count).map(|_| self.float(kind)).collect::<Result<_, _>>()?),
            _ => Value::Integers(
                (0..count)
                    .map(|_| self.integer(kind)?.ok_or_else(|| Error::file("a list of mixed kinds")))
                    .collect::<Result<_, _>>()?,
            ),
        })
    }

    fn tensor(&mut self) -> Result<(String, Tensor), Error> {
        let name = self.text(MAX_NAME)?;
        let wrong = |what: String| Error::file(format!("tensor {name}: {what}"));
        let dimensions = self.u32()?;
        if dimensions == 0 || dimensions > MAX_DIMENSIONS {
            return Err(wrong(format!("{dimensions} dimensions")));
        }
        let mut sizes = [1_usize; MAX_DIMENSIONS as usize];
        for size in sizes.iter_mut().take(dimensions as usize) {
            *size = usize::try_from(self.u64()?).map_err(|_| wrong("a dimension is too large".into()))?;
        }
        let kind = self.u32()?;
        let encoding = Encoding::from_id(kind).ok_or_else(|| wrong(format!("unsupported encoding {kind}")))?;
        let columns = sizes[0];
        let rows = sizes[1..].iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
        let (values, bytes) = encoding.block();
        let size = rows
            .filter(|_| columns % values == 0)
            .and_then(|rows| rows.checked_mul(columns / values)?.checked_mul(bytes));
        let (Some(rows), Some(size)) = (rows, size) else {
            return Err(wrong("impossible dimensions".into()));
        };
        let offset = self.u64()?;
        Ok((name, Tensor { rows, columns, encoding, offset, bytes: size }))
    }
}
