use super::*;
use testkit::on_both_databases;

on_both_databases! {
    async fn users_are_listed_in_pages_and_found(database: Database) {
        let app = App::on(database).await;
        let (root, _) = admin(&app).await;
        let (_, ada) = account(&app, "ada", vec![Role::User]).await;
        account(&app, "eve", vec![Role::User]).await;
        app.identity.set_disabled(&ada.id, true).await.unwrap();

        let all = root.get("/v1/admin/users?order=asc").await.expect(200).json();
        assert_eq!((names(&all), &all["total"]), (vec!["root", "ada", "eve"], &json!(3)));
        let rest = root.get("/v1/admin/users?order=asc&offset=2").await.expect(200).json();
        assert_eq!((names(&rest), &rest["total"]), (vec!["eve"], &json!(3)));
        let first = root.get("/v1/admin/users?limit=2").await.expect(200).json();
        assert_eq!((names(&first), &first["has_more"]), (vec!["eve", "ada"], &json!(true)));
        let after = first["next_after"].as_str().unwrap();
        let rest = root.get(&format!("/v1/admin/users?limit=2&cursor={after}")).await.expect(200).json();
        assert_eq!((names(&rest), &rest["has_more"]), (vec!["root"], &json!(false)));
        for (query, found) in [
            ("q=ADA", vec!["ada"]),
            ("q=%25", vec![]),
            ("role=admin", vec!["root"]),
            ("disabled=true", vec!["ada"]),
            ("disabled=false&role=user&q=example.org&order=asc", vec!["root", "eve"]),
        ] {
            let page = root.get(&format!("/v1/admin/users?{query}")).await.expect(200).json();
            assert_eq!(names(&page), found, "{query}");
        }
        let long = format!("q={}", "x".repeat(255));
        for (query, code, param) in [
            ("role=overlord", "invalid_parameter", "role"),
            ("disabled=perhaps", "invalid_parameter", "disabled"),
            ("limit=0", "invalid_parameter", "limit"),
            ("offset=-1", "invalid_parameter", "offset"),
            ("offset=10001", "invalid_parameter", "offset"),
            ("after=nonsense", "invalid_cursor", "after"),
            ("after=user_00000000000000000000", "invalid_cursor", "after"),
            ("q=a%00", "invalid_parameter", "q"),
            (&long, "invalid_parameter", "q"),
        ] {
            let error = root.get(&format!("/v1/admin/users?{query}")).await.error();
            assert_eq!(error, (400, code.to_owned(), Some(param.to_owned())), "{query}");
        }
    }
}
