mod bad_input;
mod completions;
mod conversation;
mod prompt;
mod upstream_faults;
