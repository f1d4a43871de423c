//! F1 to F10 of the rules for outbound requests, one file each; servers and names of our own, real sockets.

#![expect(clippy::unwrap_used, reason = "what fails here fails a test; clippy sees tests only in functions marked so")]

mod f01_urls;
mod f02_resolving;
mod f03_addresses;
mod f04_spellings;
mod f05_redirects;
mod f06_allow_list;
mod f07_bounds;
mod f08_nothing_of_its_own;
mod f09_one_refusal;
mod f10_trust;
mod plain;
mod support;
mod tls;
