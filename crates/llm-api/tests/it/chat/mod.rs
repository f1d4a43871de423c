mod bad_input;
mod completions;
mod upstream_faults;
