//! Ids, roles and JSON as columns.

use std::str::FromStr;

use domain::Role;

use crate::{StoreError, statement::Json};

/// Reads an id column.
pub(crate) fn id<T: FromStr>(text: &str, column: &'static str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Corrupt { column })
}

/// Roles as they are stored.
pub(crate) fn roles_to_column(roles: &[Role]) -> Json<Vec<&'static str>> {
    Json(roles.iter().map(|role| role.as_str()).collect())
}

/// Reads a roles column. A role of a newer server is left out: it grants nothing here.
pub(crate) fn roles_from_column(names: &[String]) -> Vec<Role> {
    names.iter().filter_map(|name| Role::parse(name)).collect()
}
