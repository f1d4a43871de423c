//! The safetensors format: a JSON header with each tensor's kind, shape and place, then the values.

use std::{collections::HashMap, fs::File, os::unix::fs::FileExt, path::Path};

use serde::Deserialize;

use crate::error::Error;

/// Longest header accepted, in bytes; real ones have some kilobytes.
const MAX_HEADER: u64 = 16 << 20;

/// An open file. Values are read when they are asked for.
pub(super) struct Tensors {
    file: File,
    begin: u64,
    places: HashMap<String, Place>,
}

#[derive(Deserialize)]
struct Place {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// A matrix in the file, row by row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) rows: usize,
    pub(super) columns: usize,
    at: u64,
}

impl Tensors {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut length = [0; 8];
        file.read_exact_at(&mut length, 0).map_err(|_| Error::file("no safetensors header"))?;
        let length = u64::from_le_bytes(length);
        if length > MAX_HEADER || length + 8 > size {
            return Err(Error::file("a safetensors header of an impossible length"));
        }
        let mut header = vec![0; length as usize];
        file.read_exact_at(&mut header, 8)?;
        let mut header: HashMap<String, serde_json::Value> =
            serde_json::from_slice(&header).map_err(|e| Error::file(format!("the safetensors header: {e}")))?;
        header.remove("__metadata__");
        let begin = length + 8;
        let mut places = HashMap::with_capacity(header.len());
        for (name, place) in header {
            let place: Place = serde_json::from_value(place).map_err(|e| Error::file(format!("tensor {name}: {e}")))?;
            let [from, to] = place.data_offsets;
            if from > to || to > size - begin {
                return Err(Error::file(format!("tensor {name} lies outside of the file")));
            }
            places.insert(name, place);
        }
        Ok(Self { file, begin, places })
    }

    /// The matrix of this name; a vector is a matrix of one row.
    pub(super) fn table(&self, name: &str) -> Result<Table, Error> {
        let place = self.places.get(name).ok_or_else(|| Error::file(format!("no tensor {name}")))?;
        let (rows, columns) = match place.shape[..] {
            [columns] => (1, columns),
            [rows, columns] => (rows, columns),
            _ => return Err(Error::file(format!("tensor {name} is no matrix"))),
        };
        if place.dtype != "F32" {
            return Err(Error::file(format!("tensor {name} has values of kind {}, not F32", place.dtype)));
        }
        let bytes = rows.checked_mul(columns).and_then(|values| values.checked_mul(4));
        if rows == 0
            || columns == 0
            || bytes.map(|bytes| bytes as u64) != Some(place.data_offsets[1] - place.data_offsets[0])
        {
            return Err(Error::file(format!("tensor {name} has another size than its shape")));
        }
        Ok(Table { rows, columns, at: self.begin + place.data_offsets[0] })
    }

    /// Reads rows of a matrix, from `first` on, as many as fit into `out`.
    pub(super) fn read(&self, table: Table, first: usize, out: &mut [f32]) -> Result<(), Error> {
        let mut bytes = vec![0; out.len() * 4];
        self.file.read_exact_at(&mut bytes, table.at + (first * table.columns * 4) as u64)?;
        for (value, four) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
            *value = f32::from_le_bytes(*four);
        }
        Ok(())
    }

    /// A whole tensor.
    pub(super) fn all(&self, name: &str) -> Result<Vec<f32>, Error> {
        let table = self.table(name)?;
        let mut values = vec![0.0; table.rows * table.columns];
        self.read(table, 0, &mut values)?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this header and these values.
    fn file(header: &str, values: &[f32]) -> tempfile::NamedTempFile {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "what was written is what is read")]
    fn matrices_are_read() {
        let header = r#"{"__metadata__": {"format": "pt"}, "m": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "v": {"dtype": "F32", "shape": [1], "data_offsets": [16, 20]}}"#;
        let file = file(header, &[1.0, 2.0, 3.0, 4.0, 5.0]);
        let tensors = Tensors::open(file.path()).unwrap();
        let table = tensors.table("m").unwrap();
        assert_eq!((table.rows, table.columns), (2, 2));
        let mut row = [0.0; 2];
        tensors.read(table, 1, &mut row).unwrap();
        assert_eq!(row, [3.0, 4.0]);
        assert_eq!(tensors.all("v").unwrap(), [5.0]);
        assert!(tensors.table("w").is_err());
    }

    #[test]
    fn broken_files_are_refused() {
        for header in [
            "not json",
            r#"{"m": {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]}}"#,
            r#"{"m": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}}"#,
            r#"{"m": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}"#,
            r#"{"m": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}"#,
            r#"{"m": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 8]}}"#,
            r#"{"m": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}"#,
            r#"{"m": {"dtype": "F32", "shape": [1, 1, 2], "data_offsets": [0, 8]}}"#,
        ] {
            let file = file(header, &[1.0, 2.0]);
            assert!(Tensors::open(file.path()).and_then(|tensors| tensors.all("m")).is_err(), "{header}");
        }
        let short = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(short.path(), [255; 9]).unwrap();
        assert!(Tensors::open(short.path()).is_err());
    }
}
