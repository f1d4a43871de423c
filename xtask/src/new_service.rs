//! `cargo xtask new service NAME`: a copy of the Template API, mounted beside it.
//!
//! The rule is one: wherever the files that wire services together name the Template API, the same is said of the new
//! service right after it. What is said may be a line, an element of a list, or an item of several lines; comments and
//! attributes above it belong to it. `docs/guides/adding-a-service.md` says what remains to be done by hand.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail, ensure};

use crate::{process, tree};

/// The files that wire services together.
const WIRING: [&str; 12] = [
    "Cargo.toml",
    "README.md",
    "crates/server/Cargo.toml",
    "crates/server/src/cli.rs",
    "crates/server/src/config/mod.rs",
    "crates/server/src/config/options.rs",
    "crates/server/src/parts.rs",
    "crates/server/src/services.rs",
    "crates/gateway/src/routes.rs",
    "crates/e2e/tests/e2e/server.rs",
    "crates/e2e/tests/e2e/walk/closed.rs",
    "crates/e2e/tests/e2e/walk/mod.rs",
];

/// How those files name the Template API.
const FORMS: [&str; 5] = ["TemplateApi", "template_api", "template-api", "Template API", "TEMPLATE"];

/// The Template API's port.
const PORT: u16 = 8185;

/// The new service's name in each case.
struct Name {
    /// As in `audit` of `audit-api`; `user_data` of `user-data-api`.
    lower: String,
    kebab: String,
    upper: String,
    camel: String,
    port: u16,
}

pub(crate) fn run(root: &Path, name: &str) -> Result<()> {
    let name = Name::parse(root, name)?;
    let crates = root.join("crates");
    let (from, to) = (crates.join("template-api"), crates.join(format!("{}-api", name.kebab)));
    ensure!(!to.exists(), "{} is there already", to.display());
    for file in tree::files(&from)? {
        tree::write(&to.join(&file), &name.put_into(&tree::read(&from.join(&file))?))?;
    }
    for file in WIRING {
        let path = root.join(file);
        let text = tree::read(&path)?;
        let wired = name.say_beside(&text).with_context(|| format!("{file} cannot be extended"))?;
        ensure!(wired != text, "{file} does not name the Template API any more: mend xtask/src/new_service.rs");
        fs::write(&path, wired)?;
    }
    process::run(process::cargo(&["fmt", "--all"])?.current_dir(root))?;
    println!("{} listens on {}. Next: `cargo xtask generate`, then its own endpoints.", to.display(), name.port);
    Ok(())
}

impl Name {
    fn parse(root: &Path, name: &str) -> Result<Self> {
        let Some(kebab) = name.strip_suffix("-api") else {
            bail!("a service's name ends with -api: `{name}-api`?");
        };
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let words: Vec<&str> = kebab.split('-').collect();
        let starts_well = |word: &&str| word.starts_with(|c: char| c.is_ascii_lowercase());
        ensure!(
            kebab.chars().all(fine) && words.iter().all(starts_well),
            "a service's name is made of lower-case words with hyphens between them, such as audit-api"
        );
        let ports = tree::read(&root.join("crates/server/src/config/options.rs"))?;
        let port = (PORT + 1..u16::MAX).find(|port| !ports.contains(&port.to_string()));
        let capital = |word: &&str| word[..1].to_ascii_uppercase() + &word[1..];
        Ok(Self {
            lower: words.join("_"),
            kebab: kebab.to_owned(),
            upper: words.join("_").to_ascii_uppercase(),
            camel: words.iter().map(capital).collect(),
            port: port.context("every port is taken")?,
        })
    }

    /// What is said of the Template API, said of the new service.
    fn put_into(&self, text: &str) -> String {
        let title = self.camel.clone();
        let text = text.replace("Template API", &format!("{title} API"));
        let text = text.replace("template-api", &format!("{}-api", self.kebab));
        let text = text.replace("/template", &format!("/{}", self.kebab));
        let text = text.replace("--template", &format!("--{}", self.kebab));
        let text = text.replace("Template", &self.camel).replace("TEMPLATE", &self.upper);
        text.replace("template", &self.lower).replace(&PORT.to_string(), &self.port.to_string())
    }

    /// The text with everything that is said of the Template API said of the new service, too.
    fn say_beside(&self, text: &str) -> Result<String> {
        let lines: Vec<&str> = text.lines().collect();
        let mut written: Vec<String> = Vec::new();
        let mut at = 0;
        // Comments and attributes that may belong to what comes next.
        let mut above = 0;
        while at < lines.len() {
            let line = lines[at];
            let is_about = line.trim_start().starts_with("//") || line.trim_start().starts_with("#[");
            if is_about && line.trim_start().starts_with("//!") || !names_it(line) && !is_about {
                written.push(line.to_owned());
                (at, above) = (at + 1, 0);
            } else if is_about {
                written.push(line.to_owned());
                (at, above) = (at + 1, above + 1);
            } else if let Some(list) = self.extend_list(line) {
                let counted = count_one_more(&list);
                // A long list stands below its type.
                if let Some(previous) = written.last_mut().filter(|_| counted == list) {
                    *previous = count_one_more(previous);
                }
                written.push(counted);
                (at, above) = (at + 1, 0);
            } else {
                let end = end_of_item(&lines, at)?;
                let item: Vec<&str> = lines[at - above..end].to_vec();
                written.extend(lines[at..end].iter().map(|line| (*line).to_owned()));
                written.extend(item.iter().map(|line| self.put_into(line)));
                (at, above) = (end, 0);
            }
        }
        Ok(written.join("\n") + "\n")
    }

    /// The line with one more element, if it is a list of services of which the Template API is one.
    fn extend_list(&self, line: &str) -> Option<String> {
        const ELEMENTS: [&str; 4] = ["Self::TemplateApi", "\"template-api\"", "TEMPLATE", "template_api: 8185"];
        let others = ["Self::LlmApi", "\"llm-api\"", "LLM,", " llm_api: 8080"];
        if !others.iter().any(|other| line.contains(other)) {
            return None;
        }
        let element = ELEMENTS.iter().find(|element| line.contains(**element))?;
        Some(line.replacen(element, &format!("{element}, {}", self.put_into(element)), 1))
    }
}

fn names_it(line: &str) -> bool {
    FORMS.iter().any(|form| line.contains(form))
}

/// The line with the length of an array type raised by one, as in `[&str; 5]`.
fn count_one_more(line: &str) -> String {
    let Some((before, after)) = line.split_once("; ") else { return line.to_owned() };
    let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    match after[..digits].parse::<usize>() {
        Ok(count) if after[digits..].starts_with(']') => format!("{before}; {}{}", count + 1, &after[digits..]),
        _ => line.to_owned(),
    }
}

/// The line after the last of the item that begins at `at`: where its brackets are closed again.
fn end_of_item(lines: &[&str], at: usize) -> Result<usize> {
    let mut depth = 0i32;
    for (offset, line) in lines[at..].iter().enumerate() {
        for c in line.chars() {
            match c {
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth -= 1,
                _ => {}
            }
        }
        if depth <= 0 {
            return Ok(at + offset + 1);
        }
    }
    bail!("line {} opens a bracket that nothing closes", at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache;

    fn name() -> Name {
        Name {
            lower: "user_data".to_owned(),
            kebab: "user-data".to_owned(),
            upper: "USER_DATA".to_owned(),
            camel: "UserData".to_owned(),
            port: 8186,
        }
    }

    #[test]
    fn lines_lists_and_items_are_said_again() {
        for (before, after) in [
            ("a = 1\n", "a = 1\n"),
            ("template-api = 1\n", "template-api = 1\nuser-data-api = 1\n"),
            (
                "    /// The Template API's port [default: 8185].\n    #[x]\n    template_api_port: u16,\n",
                "    /// The Template API's port [default: 8185].\n    #[x]\n    template_api_port: u16,\n    \
                     /// The UserData API's port [default: 8186].\n    #[x]\n    user_data_api_port: u16,\n",
            ),
            (
                "P { llm_api: 8080, template_api: 8185, gateway: 8000 }\n",
                "P { llm_api: 8080, template_api: 8185, user_data_api: 8186, gateway: 8000 }\n",
            ),
            ("const S: [&str; 2] = [LLM, TEMPLATE];\n", "const S: [&str; 3] = [LLM, TEMPLATE, USER_DATA];\n"),
            (
                "const ALL: [Self; 2] =\n    [Self::LlmApi, Self::TemplateApi];\n",
                "const ALL: [Self; 3] =\n    [Self::LlmApi, Self::TemplateApi, Self::UserDataApi];\n",
            ),
            (
                "X::TemplateApi => f(S {\n    a: 1,\n}),\nX::Gateway => 1,\n",
                "X::TemplateApi => f(S {\n    a: 1,\n}),\nX::UserDataApi => f(S {\n    a: 1,\n}),\nX::Gateway => 1,\n",
            ),
            (
                "Row { path: \"/template\", to: TEMPLATE }\n",
                "Row { path: \"/template\", to: TEMPLATE }\nRow { path: \"/user-data\", to: USER_DATA }\n",
            ),
        ] {
            assert_eq!(name().say_beside(before).unwrap(), after);
        }
    }

    #[test]
    fn names_that_are_none_are_refused() {
        let root = tree::root();
        for bad in ["audit", "Audit-api", "-api", "a--b-api", "../x-api", "1-api"] {
            assert!(Name::parse(&root, bad).is_err(), "{bad}");
        }
        assert_eq!(Name::parse(&root, "user-data-api").unwrap().camel, "UserData");
    }

    /// A service made in a copy of this tree compiles with its tests, mounted in the server. The copy is always at the
    /// same place, so that Cargo finds what it knows.
    #[test]
    fn a_new_service_compiles() {
        let copy = cache::directory().unwrap().join("new-service");
        if copy.exists() {
            fs::remove_dir_all(&copy).unwrap();
        }
        let root = tree::root();
        for file in tree::files(&root).unwrap() {
            fs::create_dir_all(copy.join(&file).parent().unwrap()).unwrap();
            fs::copy(root.join(&file), copy.join(&file)).unwrap();
        }
        run(&copy, "audit-log-api").unwrap();
        let arguments = ["check", "--offline", "--quiet", "--no-default-features", "--package", "server"];
        process::run(process::cargo(&arguments).unwrap().current_dir(&copy)).unwrap();
        let arguments = ["check", "--offline", "--quiet", "--package", "audit-log-api", "--tests"];
        process::run(process::cargo(&arguments).unwrap().current_dir(&copy)).unwrap();
    }
}
