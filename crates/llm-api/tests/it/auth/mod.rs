mod api_keys;
mod guest_login;
mod jwks;
mod me;
mod openid_configuration;
