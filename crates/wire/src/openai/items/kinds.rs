//! The types of items, and what is asked of each.

use domain::Error;

use super::fields::{Fields, wrong};

pub(super) const MESSAGE: &str = "message";

/// What a field must be when it is there.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Bool,
    List,
    Object,
    TextOrList,
}

use Form::{Bool, List, Object, Text, TextOrList};

impl Form {
    fn fits(self, json: &str) -> bool {
        let first = json.as_bytes().first().copied().unwrap_or_default();
        match self {
            Text => first == b'"',
            Bool => matches!(first, b't' | b'f'),
            List => first == b'[',
            Object => first == b'{',
            TextOrList => matches!(first, b'"' | b'['),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Text => "a string",
            Bool => "true or false",
            List => "an array",
            Object => "an object",
            TextOrList => "a string or an array",
        }
    }
}

/// A type of item.
struct Kind {
    name: &'static str,
    /// Its status when it says none; a type without one has none to show.
    status: Option<&'static str>,
    /// Fields without which nobody can make anything of it.
    needs: &'static [&'static str],
    /// Fields that others are to be able to read.
    forms: &'static [(&'static str, Form)],
    /// Fields that clients expect to be there.
    defaults: &'static [(&'static str, &'static str)],
}

const fn tracked(name: &'static str, forms: &'static [(&'static str, Form)]) -> Kind {
    Kind { name, status: Some("completed"), needs: &[], forms, defaults: &[] }
}

const fn plain(name: &'static str, forms: &'static [(&'static str, Form)]) -> Kind {
    Kind { name, status: None, needs: &[], forms, defaults: &[] }
}

const KINDS: &[Kind] = &[
    Kind { needs: &["role", "content"], ..tracked(MESSAGE, &[("content", TextOrList)]) },
    Kind {
        needs: &["call_id", "name", "arguments"],
        ..tracked("function_call", &[("name", Text), ("arguments", Text)])
    },
    Kind { needs: &["call_id", "output"], ..tracked("function_call_output", &[("output", TextOrList)]) },
    Kind {
        status: None,
        defaults: &[("summary", "[]")],
        ..tracked("reasoning", &[("summary", List), ("content", List), ("encrypted_content", Text)])
    },
    Kind { defaults: &[("queries", "[]")], ..tracked("file_search_call", &[("queries", List), ("results", List)]) },
    tracked("web_search_call", &[("action", Object)]),
    Kind { defaults: &[("result", "null")], ..tracked("image_generation_call", &[("result", Text)]) },
    Kind {
        defaults: &[("pending_safety_checks", "[]")],
        ..tracked("computer_call", &[("action", Object), ("actions", List), ("pending_safety_checks", List)])
    },
    tracked("computer_call_output", &[("output", Object), ("acknowledged_safety_checks", List)]),
    Kind {
        defaults: &[("code", "null"), ("outputs", "null")],
        ..tracked("code_interpreter_call", &[("code", Text), ("container_id", Text), ("outputs", List)])
    },
    tracked("local_shell_call", &[("action", Object)]),
    tracked("local_shell_call_output", &[("output", Text)]),
    tracked("shell_call", &[("action", Object), ("commands", List)]),
    tracked("shell_call_output", &[("output", List), ("shell_outputs", List)]),
    tracked("apply_patch_call", &[("operation", Object)]),
    tracked("apply_patch_call_output", &[("output", Text)]),
    plain("mcp_list_tools", &[("server_label", Text), ("tools", List)]),
    plain("mcp_approval_request", &[("server_label", Text), ("name", Text), ("arguments", Text)]),
    plain("mcp_approval_response", &[("approval_request_id", Text), ("approve", Bool), ("reason", Text)]),
    tracked("mcp_call", &[("server_label", Text), ("name", Text), ("arguments", Text), ("output", Text)]),
    plain("custom_tool_call", &[("name", Text), ("input", Text)]),
    plain("custom_tool_call_output", &[("output", TextOrList)]),
    tracked("tool_search_call", &[]),
    tracked("tool_search_output", &[("tools", List)]),
    plain("additional_tools", &[("tools", List)]),
    plain("configuration_update", &[]),
    plain("compaction", &[("encrypted_content", Text)]),
    plain("program", &[("code", Text)]),
    tracked("program_output", &[("result", Text)]),
];

/// Names of types that some clients still use.
const FORMER: [(&str, &str); 6] = [
    ("file_search", "file_search_call"),
    ("web_search", "web_search_call"),
    ("code_interpreter", "code_interpreter_call"),
    ("computer_use", "computer_call"),
    ("mcp_item", "mcp_call"),
    ("image_generation", "image_generation_call"),
];

const ROLES: [&str; 8] = ["system", "user", "assistant", "tool", "developer", "critic", "discriminator", "unknown"];

const STATUSES: [&str; 11] = [
    "incomplete",
    "in_progress",
    "completed",
    "failed",
    "cancelled",
    "searching",
    "generating",
    "calling",
    "streaming",
    "rate_limited",
    "interpreting",
];

/// The item's type; a message need not say that it is one.
pub(super) fn read_kind(fields: &Fields<'_>) -> Result<&'static str, Error> {
    let Some(given) = fields.text("type")? else {
        return if fields.get("role").is_some() { Ok(MESSAGE) } else { Err(fields.missing("type")) };
    };
    let name = FORMER.iter().find(|(former, _)| *former == given).map_or(&*given, |(_, present)| present);
    let known = KINDS.iter().find(|kind| kind.name == name);
    known.map(|kind| kind.name).ok_or_else(|| {
        let path = fields.path("type");
        Error::invalid_parameter(&*path, format!("{path} is no type of item that can be kept."))
    })
}

pub(super) fn role(fields: &Fields<'_>, kind: &str) -> Result<Option<&'static str>, Error> {
    match fields.text("role")? {
        Some(given) => one_of(&ROLES, &given, &fields.path("role")).map(Some),
        None if kind == MESSAGE => Err(fields.missing("role")),
        None => Ok(None),
    }
}

pub(super) fn status(fields: &Fields<'_>, kind: &str) -> Result<Option<&'static str>, Error> {
    match fields.text("status")? {
        Some(given) => read_status(&given, &fields.path("status")).map(Some),
        None => Ok(find(kind).and_then(|kind| kind.status)),
    }
}

/// Reads a status; `param` is its path.
pub(super) fn read_status(given: &str, param: &str) -> Result<&'static str, Error> {
    one_of(&STATUSES, given, param)
}

/// Checks that what is there is of its form, and what is needed is there.
pub(super) fn check(fields: &Fields<'_>, kind: &str) -> Result<(), Error> {
    let Some(kind) = find(kind) else { return Ok(()) };
    if let Some(name) = kind.needs.iter().find(|name| fields.value(name).is_none()) {
        return Err(fields.missing(name));
    }
    for (name, form) in kind.forms {
        if let Some(value) = fields.value(name)
            && !form.fits(value.get())
        {
            return Err(wrong(&fields.path(name), form.name()));
        }
    }
    Ok(())
}

/// What an item of the type has when it was not given.
pub(super) fn defaults(kind: &str) -> &'static [(&'static str, &'static str)] {
    find(kind).map_or(&[], |kind| kind.defaults)
}

fn find(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

fn one_of(words: &'static [&'static str], given: &str, param: &str) -> Result<&'static str, Error> {
    let known = words.iter().copied().find(|word| *word == given);
    known.ok_or_else(|| Error::invalid_parameter(param, format!("{param} must be one of {}.", words.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_json() {
        for kind in KINDS {
            for (_, value) in kind.defaults {
                assert!(serde_json::from_str::<serde_json::Value>(value).is_ok(), "{}", kind.name);
            }
        }
        assert!(FORMER.iter().all(|(former, present)| find(former).is_none() && find(present).is_some()));
    }
}
