//! Settings as clients see them.

use app::settings::SettingsOf;
use domain::ids::UserId;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;
use wire::settings::{AdvancedSettings, MemoryConfig, ProfileSettings, Settings};

/// The settings of a user.
#[derive(Serialize, ToSchema)]
#[schema(as = UserSettings)]
pub(crate) struct View {
    /// Always `user.settings`.
    #[schema(example = "user.settings")]
    object: &'static str,
    #[schema(example = "settings_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    id: String,
    #[schema(example = "user_0mhk2v1qs5x3n8r7c0d9e4f6g2h1j3k")]
    user_id: String,
    memory_config: MemoryConfig,
    profile_settings: ProfileSettings,
    advanced_settings: AdvancedSettings,
    /// Whether runs are traced for the user to see.
    enable_trace: bool,
    /// Whether tools may be used at all.
    enable_tools: bool,
    /// What clients remember for the user, by name; those that this server knows are always there.
    #[schema(value_type = Object, additional_properties, example = json!({"enable_search": true, "theme": "dark"}))]
    preferences: Map<String, Value>,
    /// In seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    created_at: i64,
    /// In seconds since the Unix epoch.
    #[schema(example = 1_800_000_000)]
    updated_at: i64,
}

impl From<SettingsOf> for View {
    fn from(of: SettingsOf) -> Self {
        // A user has one set of settings, so the user's id names it too.
        let id = of.user_id.as_str().trim_start_matches(UserId::PREFIX);
        let Settings { memory_config, profile_settings, advanced_settings, enable_trace, enable_tools, preferences } =
            of.settings;
        Self {
            object: "user.settings",
            id: format!("settings_{id}"),
            user_id: of.user_id.to_string(),
            memory_config,
            profile_settings,
            advanced_settings,
            enable_trace,
            enable_tools,
            preferences,
            created_at: of.created_at.seconds(),
            updated_at: of.updated_at.seconds(),
        }
    }
}
