//! Rows of both databases as values of ours.

use std::ops::Deref;

use rusqlite::types::ValueRef;
use serde::de::DeserializeOwned;
use sqlx::{
    Row as _,
    postgres::{PgRow, PgValueFormat},
};

use crate::{Result, StoreError, statement::Json};

/// A row that is being read.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a PgRow),
}

/// What can be read from a row.
pub(crate) trait FromRow: Sized {
    /// Its columns' names, in the order in which they are read; none where it takes the columns as they come.
    fn columns(_names: &mut Vec<&'static str>) {}

    /// Reads it.
    fn read(cells: &mut Cells<'_>) -> Result<Self>;
}

/// Makes a struct that is read from a row by its fields' names, or by a `"name"` where the column has another. What
/// stands after a `;` is read from the same row.
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty $(= $column:literal)?),* $(,)?
        $(; $($part_vis:vis $part:ident: $part_type:ty),+ $(,)?)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
            $($($part_vis $part: $part_type,)+)?
        }

        impl $crate::row::FromRow for $name {
            fn columns(names: &mut Vec<&'static str>) {
                $(names.push($crate::row::column_name!($field $($column)?));)*
                $($(<$part_type as $crate::row::FromRow>::columns(names);)+)?
            }

            fn read(cells: &mut $crate::row::Cells<'_>) -> $crate::Result<Self> {
                Ok(Self {
                    $($field: cells.next()?,)*
                    $($($part: $crate::row::FromRow::read(cells)?,)+)?
                })
            }
        }
    };
}
pub(crate) use row;

macro_rules! column_name {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $column:literal) => {
        $column
    };
}
pub(crate) use column_name;

/// Reads the rows of one statement, each as a `T`. Where its columns stand is looked up in the first.
pub(crate) fn reader<T: FromRow>() -> impl FnMut(&Row<'_>) -> Result<T> {
    let mut places = None;
    move |row| {
        let places = match &mut places {
            Some(places) => places,
            unknown => unknown.insert(self::places::<T>(row)?),
        };
        T::read(&mut Cells { row, places, taken: 0 })
    }
}

/// Where the columns of a `T` stand in rows like this one.
fn places<T: FromRow>(row: &Row<'_>) -> Result<Vec<usize>> {
    let mut names = Vec::new();
    T::columns(&mut names);
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let found: Vec<&str> = match row {
        Row::Sqlite(row) => row.as_ref().column_names().collect(),
        Row::Postgres(row) => row.columns().iter().map(sqlx::Column::name).collect(),
    };
    let place = |(at, name): (usize, &&str)| {
        let here = found.get(at).is_some_and(|found| found == name).then_some(at);
        let place = here.or_else(|| found.iter().position(|found| found == name));
        place.ok_or_else(|| StoreError::Statement(format!("there is no column {name}").into()))
    };
    names.iter().enumerate().map(place).collect()
}

/// The values of a row, one after the other.
pub(crate) struct Cells<'a> {
    row: &'a Row<'a>,
    places: &'a [usize],
    taken: usize,
}

impl Cells<'_> {
    /// Reads the next one.
    pub(crate) fn next<T: Column>(&mut self) -> Result<T> {
        let at = self.places.get(self.taken).copied().unwrap_or(self.taken);
        self.taken += 1;
        match self.row {
            Row::Sqlite(row) => {
                let value = row.get_ref(at)?;
                T::from_sqlite(value).ok_or_else(|| {
                    StoreError::Statement(
                        format!("column {at} holds {}, which is unexpected", value.data_type()).into(),
                    )
                })
            }
            Row::Postgres(row) => Ok(T::from_postgres(row, at)?),
        }
    }
}

/// What a column can hold.
pub(crate) trait Column: Sized {
    /// Reads what SQLite gives; `None` when it is of another kind.
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self>;

    /// Reads the column at this place.
    fn from_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error>;
}

macro_rules! columns {
    ($($type:ty: $pattern:pat => $value:expr;)*) => {
        $(impl Column for $type {
            fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
                match value {
                    $pattern => $value,
                    _ => None,
                }
            }

            fn from_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error> {
                row.try_get(at)
            }
        })*
    };
}

columns! {
    i64: ValueRef::Integer(value) => Some(value);
    bool: ValueRef::Integer(value) => Some(value != 0);
    String: ValueRef::Text(text) => str::from_utf8(text).ok().map(str::to_owned);
    Vec<u8>: ValueRef::Blob(bytes) => Some(bytes.to_vec());
}

impl<T: Column> Column for Option<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Null => Some(None),
            value => T::from_sqlite(value).map(Some),
        }
    }

    fn from_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error> {
        if sqlx::ValueRef::is_null(&row.try_get_raw(at)?) { Ok(None) } else { T::from_postgres(row, at).map(Some) }
    }
}

impl<T: DeserializeOwned> Column for Json<T> {
    fn from_sqlite(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Text(text) => serde_json::from_slice(text).ok().map(Self),
            _ => None,
        }
    }

    fn from_postgres(row: &PgRow, at: usize) -> Result<Self, sqlx::Error> {
        let value = row.try_get_raw(at)?;
        let text = match (value.format(), value.as_bytes().map_err(sqlx::Error::Decode)?) {
            (PgValueFormat::Binary, [1, text @ ..]) | (PgValueFormat::Text, text) => text,
            (PgValueFormat::Binary, _) => return Err(sqlx::Error::Decode("an unknown format of jsonb".into())),
        };
        serde_json::from_slice(text).map(Self).map_err(|error| sqlx::Error::Decode(error.into()))
    }
}

impl<T> Deref for Json<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

macro_rules! scalars {
    ($([$($generics:tt)*] $type:ty;)*) => {
        $(impl<$($generics)*> FromRow for $type {
            fn read(cells: &mut Cells<'_>) -> Result<Self> {
                cells.next()
            }
        })*
    };
}

scalars! {
    [] i64;
    [] bool;
    [] String;
    [] Vec<u8>;
    [T: Column] Option<T>;
    [T: DeserializeOwned] Json<T>;
}

macro_rules! tuples {
    ($(($($type:ident),+))*) => {
        $(impl<$($type: Column),+> FromRow for ($($type,)+) {
            fn read(cells: &mut Cells<'_>) -> Result<Self> {
                Ok(($(cells.next::<$type>()?,)+))
            }
        })*
    };
}

tuples! { (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) }
