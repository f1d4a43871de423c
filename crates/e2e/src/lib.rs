//! End-to-end tests: the built binary as a process, met as its users meet it. Everything is in `tests/e2e`, the SDKs'
//! part in `sdk`.
