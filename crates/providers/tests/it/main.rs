//! Providers against a real server on loopback, which misbehaves when told to.

#![allow(missing_docs, reason = "tests")]

mod openai;
mod scripted;
mod support;
