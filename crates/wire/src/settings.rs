//! A user's settings: their fields, defaults and bounds (contract E40).
//!
//! Whatever is stored of them is what differs from the defaults; [`Settings::read`] puts the two together.

use domain::{Error, length::check_length};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Longest of the short texts, and of the long ones, in characters.
const SHORT: usize = 255;
const LONG: usize = 8_000;
/// Most preferences, the longest name of one in characters, and the most bytes of all together.
const MOST_PREFERENCES: usize = 100;
const LONGEST_NAME: usize = 64;
const MOST_BYTES: usize = 16 * 1024;

/// The settings, without what says whose they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// What the memory may keep and use.
    pub memory_config: MemoryConfig,
    /// Who the user is and how to be answered.
    pub profile_settings: ProfileSettings,
    /// What the model may use.
    pub advanced_settings: AdvancedSettings,
    /// Whether runs are traced for the user to see.
    pub enable_trace: bool,
    /// Whether tools may be used at all.
    pub enable_tools: bool,
    /// What clients remember for the user, by name; those that this server knows are always there.
    pub preferences: Map<String, Value>,
}

/// What the memory may keep and use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MemoryConfig {
    /// Whether there is a memory.
    pub enabled: bool,
    /// Whether a message that begins with “remember that” is kept.
    pub observe_enabled: bool,
    /// Whether memories of the kind `core` are told to the model.
    pub inject_user_core: bool,
    /// Whether memories of the kind `fact` are told, where they have to do with the question.
    pub inject_semantic: bool,
    /// Whether memories of the kind `episode` are told, where they have to do with the question.
    pub inject_episodic: bool,
    /// Most memories of no project that are told at once, 0 to 20.
    #[schema(minimum = 0, maximum = 20)]
    pub max_user_items: i64,
    /// Most memories of the project that are told at once, 0 to 50.
    #[schema(minimum = 0, maximum = 50)]
    pub max_project_items: i64,
    /// Most episodes that are told at once, 0 to 20.
    #[schema(minimum = 0, maximum = 20)]
    pub max_episodic_items: i64,
    /// How much a memory must have to do with the question, 0 to 1; 0.75 is where texts begin to.
    #[schema(minimum = 0, maximum = 1)]
    pub min_similarity: f64,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            observe_enabled: true,
            inject_user_core: true,
            inject_semantic: true,
            inject_episodic: false,
            max_user_items: 3,
            max_project_items: 5,
            max_episodic_items: 3,
            min_similarity: 0.75,
        }
    }
}

/// Who the user is and how to be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileSettings {
    /// The tone of answers.
    pub base_style: BaseStyle,
    /// What every answer is to heed; at most 8 000 characters.
    #[schema(max_length = 8_000)]
    pub custom_instructions: String,
    /// How to address the user; at most 255 characters. `nickname` is accepted too.
    #[schema(max_length = 255)]
    pub nick_name: String,
    /// What the user does; at most 255 characters.
    #[schema(max_length = 255)]
    pub occupation: String,
    /// What else there is to know; at most 8 000 characters.
    #[schema(max_length = 8_000)]
    pub more_about_you: String,
}

/// The tone of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum BaseStyle {
    /// Short.
    Concise,
    /// Warm.
    #[default]
    Friendly,
    /// Formal.
    Professional,
}

/// What the model may use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdvancedSettings {
    /// The web.
    pub web_search: bool,
    /// Running code.
    pub code_enabled: bool,
}

/// The settings of a user who changed nothing.
impl Default for Settings {
    fn default() -> Self {
        let known = [
            ("selected_model", Value::Null),
            ("enable_deep_research", Value::Bool(false)),
            ("enable_thinking", Value::Bool(true)),
            ("enable_search", Value::Bool(true)),
            ("enable_browser", Value::Bool(false)),
        ];
        Self {
            memory_config: MemoryConfig::default(),
            profile_settings: ProfileSettings::default(),
            advanced_settings: AdvancedSettings::default(),
            enable_trace: false,
            enable_tools: true,
            preferences: known.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}

impl Settings {
    /// The settings of a user who changed this.
    ///
    /// # Errors
    /// 400 that names the field which is of the wrong type or out of its bounds.
    pub fn read(changes: &Map<String, Value>) -> Result<Self, Error> {
        let mut all = defaults();
        apply(&mut all, changes);
        let bytes = serde_json::to_vec(&all).map_err(Error::internal)?;
        let settings: Self = crate::json::parse(&bytes).map_err(name_style)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Error> {
        let memory = &self.memory_config;
        within("memory_config.max_user_items", memory.max_user_items, 20)?;
        within("memory_config.max_project_items", memory.max_project_items, 50)?;
        within("memory_config.max_episodic_items", memory.max_episodic_items, 20)?;
        if !(0.0..=1.0).contains(&memory.min_similarity) {
            return Err(Error::invalid_parameter("memory_config.min_similarity", "min_similarity is from 0 to 1."));
        }
        let profile = &self.profile_settings;
        check_length(&profile.custom_instructions, LONG, "profile_settings.custom_instructions")?;
        check_length(&profile.nick_name, SHORT, "profile_settings.nick_name")?;
        check_length(&profile.occupation, SHORT, "profile_settings.occupation")?;
        check_length(&profile.more_about_you, LONG, "profile_settings.more_about_you")?;
        check_preferences(&self.preferences)
    }
}

/// Puts a change onto the changes there were before: objects are merged field by field, null takes a change back.
/// Fields that no settings have, and those that only the server writes, are left out.
///
/// # Errors
/// 400 for something else in the place of a group of fields.
pub fn merge(before: &mut Map<String, Value>, change: &Map<String, Value>) -> Result<(), Error> {
    for (name, known) in defaults() {
        let Some(value) = change.get(&name) else { continue };
        match (known, value) {
            (_, Value::Null) => _ = before.remove(&name),
            (Value::Object(known), Value::Object(change)) => {
                let group = before.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(group) = group {
                    merge_group(group, &known, change, name == "preferences");
                }
            }
            (Value::Object(_), _) => {
                return Err(Error::invalid_parameter(name.clone(), format!("{name} needs to be an object.")));
            }
            (_, value) => _ = before.insert(name, value.clone()),
        }
    }
    Ok(())
}

fn merge_group(group: &mut Map<String, Value>, known: &Map<String, Value>, change: &Map<String, Value>, free: bool) {
    for (name, value) in change {
        let name = if name == "nickname" && !free { "nick_name" } else { name };
        if free || known.contains_key(name) {
            merge_value(group, name, value);
        }
    }
}

/// The merging of RFC 7396.
fn merge_value(target: &mut Map<String, Value>, name: &str, change: &Value) {
    match change {
        Value::Null => _ = target.remove(name),
        Value::Object(change) => {
            let mut inner = match target.remove(name) {
                Some(Value::Object(inner)) => inner,
                _ => Map::new(),
            };
            for (name, value) in change {
                merge_value(&mut inner, name, value);
            }
            target.insert(name.to_owned(), Value::Object(inner));
        }
        other => _ = target.insert(name.to_owned(), other.clone()),
    }
}

fn defaults() -> Map<String, Value> {
    // Names and plain values cannot fail to serialize.
    match serde_json::to_value(Settings::default()) {
        Ok(Value::Object(defaults)) => defaults,
        _ => Map::new(),
    }
}

fn apply(onto: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, value) in changes {
        match (onto.get_mut(name), value) {
            (Some(Value::Object(group)), Value::Object(changes)) => group.extend(changes.clone()),
            _ => _ = onto.insert(name.clone(), value.clone()),
        }
    }
}

/// A wrong style has a code of its own.
fn name_style(error: Error) -> Error {
    if error.param_name() != Some("profile_settings.base_style") {
        return error;
    }
    let message = "base_style is Concise, Friendly or Professional.";
    Error::invalid("invalid_base_style", message).param("profile_settings.base_style")
}

fn within(field: &'static str, value: i64, most: i64) -> Result<(), Error> {
    if (0..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid_parameter(field, format!("{field} is from 0 to {most}.")))
}

fn check_preferences(preferences: &Map<String, Value>) -> Result<(), Error> {
    let error = |field: &str, problem: String| Err(Error::invalid_parameter(field, problem));
    for (name, value) in preferences {
        let field = format!("preferences.{name}");
        match name.as_str() {
            "enable_deep_research" | "enable_thinking" | "enable_search" | "enable_browser" if !value.is_boolean() => {
                return error(&field, format!("{name} is true or false."));
            }
            "selected_model" if !value.is_null() && value.as_str().is_none_or(|id| id.len() > SHORT) => {
                return error(&field, format!("{name} is a model's id."));
            }
            _ if name.is_empty() || name.chars().count() > LONGEST_NAME => {
                return error("preferences", format!("A preference's name has 1 to {LONGEST_NAME} characters."));
            }
            _ => {}
        }
    }
    if preferences.len() > MOST_PREFERENCES {
        return error("preferences", format!("There are at most {MOST_PREFERENCES} preferences."));
    }
    let bytes = serde_json::to_vec(preferences).map_or(usize::MAX, |text| text.len());
    if bytes > MOST_BYTES {
        return error("preferences", format!("All preferences together have at most {MOST_BYTES} bytes."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(map) => map,
            other => unreachable!("{other} is no object"),
        }
    }

    /// What the settings are after these changes, one after the other.
    fn after(changes: &[Value]) -> Result<Settings, Error> {
        let mut stored = Map::new();
        for change in changes {
            merge(&mut stored, &object(change.clone()))?;
        }
        Settings::read(&stored)
    }

    #[test]
    fn nothing_changed_is_the_defaults() {
        assert_eq!(after(&[]).unwrap(), Settings::default());
        assert_eq!(after(&[json!({}), json!({"profile_settings": {}})]).unwrap(), Settings::default());
        assert!(Settings::default().enable_tools);
    }

    #[test]
    fn one_field_leaves_the_others_alone() {
        let settings = after(&[
            json!({"profile_settings": {"occupation": "baker", "nick_name": "Ada"}}),
            json!({"profile_settings": {"nickname": "Countess"}, "enable_trace": true}),
        ])
        .unwrap();
        assert_eq!(settings.profile_settings.occupation, "baker");
        assert_eq!(settings.profile_settings.nick_name, "Countess");
        assert_eq!(settings.memory_config, MemoryConfig::default());
        assert!(settings.enable_trace);
    }

    #[test]
    fn null_takes_back_a_field_or_a_group() {
        let change = json!({"memory_config": {"max_user_items": 9, "enabled": false}, "enable_tools": false});
        let settings = after(&[change.clone(), json!({"memory_config": {"enabled": null}})]).unwrap();
        assert!(settings.memory_config.enabled);
        assert_eq!(settings.memory_config.max_user_items, 9);
        let settings = after(&[change, json!({"memory_config": null, "enable_tools": null})]).unwrap();
        assert_eq!(settings, Settings::default());
    }

    #[test]
    fn preferences_are_free_and_merged() {
        let first = json!({"preferences": {"theme": "dark", "x": 1, "deep": {"a": 1, "b": {"c": 2}}}});
        let second = json!({"preferences": {"x": null, "deep": {"a": null, "b": {"d": 3}}}});
        let preferences = after(&[first, second]).unwrap().preferences;
        assert_eq!((preferences.get("theme"), preferences.get("x")), (Some(&json!("dark")), None));
        assert_eq!(preferences["deep"], json!({"b": {"c": 2, "d": 3}}));
        assert_eq!(preferences["enable_search"], true);
    }

    #[test]
    fn what_is_no_setting_is_not_kept() {
        let mut stored = Map::new();
        let change = json!({"id": "x", "user_id": "user_1", "roles": ["admin"], "memory_config": {"admin": true}});
        merge(&mut stored, &object(change)).unwrap();
        assert_eq!(Value::Object(stored), json!({"memory_config": {}}));
    }

    #[test]
    fn each_bound_names_its_field() {
        let long = "\u{e9}".repeat(256);
        let many: Map<String, Value> = (0..101).map(|n| (format!("p{n}"), json!(1))).collect();
        for (change, param) in [
            (json!({"memory_config": {"max_user_items": 21}}), "memory_config.max_user_items"),
            (json!({"memory_config": {"max_project_items": -1}}), "memory_config.max_project_items"),
            (json!({"memory_config": {"max_episodic_items": 1.5}}), "memory_config.max_episodic_items"),
            (json!({"memory_config": {"min_similarity": 1.01}}), "memory_config.min_similarity"),
            (json!({"memory_config": {"enabled": "yes"}}), "memory_config.enabled"),
            (json!({"memory_config": 5}), "memory_config"),
            (json!({"profile_settings": {"nick_name": long}}), "profile_settings.nick_name"),
            (json!({"profile_settings": {"occupation": 7}}), "profile_settings.occupation"),
            (
                json!({"profile_settings": {"custom_instructions": "x".repeat(8_001)}}),
                "profile_settings.custom_instructions",
            ),
            (json!({"profile_settings": {"more_about_you": "x".repeat(8_001)}}), "profile_settings.more_about_you"),
            (json!({"advanced_settings": {"web_search": 1}}), "advanced_settings.web_search"),
            (json!({"enable_trace": "on"}), "enable_trace"),
            (json!({"preferences": []}), "preferences"),
            (json!({"preferences": {"enable_search": "no"}}), "preferences.enable_search"),
            (json!({"preferences": {"selected_model": 1}}), "preferences.selected_model"),
            (json!({"preferences": {"": 1}}), "preferences"),
            (json!({"preferences": many}), "preferences"),
            (json!({"preferences": {"blob": "x".repeat(MOST_BYTES)}}), "preferences"),
        ] {
            let error = after(&[change]).unwrap_err();
            assert_eq!((error.code(), error.param_name()), ("invalid_parameter", Some(param)));
        }
        assert!(after(&[json!({"profile_settings": {"nick_name": "\u{e9}".repeat(255)}})]).is_ok());
    }

    #[test]
    fn a_wrong_style_has_a_code_of_its_own() {
        for style in [json!("Creative"), json!(7)] {
            let error = after(&[json!({"profile_settings": {"base_style": style}})]).unwrap_err();
            assert_eq!((error.code(), error.param_name()), ("invalid_base_style", Some("profile_settings.base_style")));
            assert!(error.message().contains("base_style"));
        }
    }
}
