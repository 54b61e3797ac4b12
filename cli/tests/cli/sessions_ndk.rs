//! `moorline sessions ndk`.

use crate::sessions::Home;

const SAMPLE: &str = include_str!("../../../tests/ndk/vectors/filestorage-sample.json");
const KEY: &str = "0101010101010101010101010101010101010101010101010101010101010101";

#[test]
fn a_file_of_ndk_goes_in_sealed_and_comes_out_byte_for_byte() {
    let home = Home::new("ndk");
    let file = home.write("ndk.json", SAMPLE);
    let told = home.json(&["ndk", "import", file.to_str().unwrap()]);
    let outcomes: Vec<_> = told
        .iter()
        .filter_map(|it| it["outcome"].as_str())
        .collect();
    assert_eq!(outcomes, ["is stored"; 3]);
    assert_eq!(told[2]["readOnly"], true);
    assert_eq!(told[3]["active"], told[1]["account"]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), SAMPLE);
    for record in home.records() {
        let bytes = std::fs::read(record).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|it| it == KEY.as_bytes()));
    }
    assert_eq!(home.ok(&["ndk", "export", "--out", "-"]), SAMPLE);
    let out = file.with_file_name("out.json");
    let said = home.ok(&["ndk", "export", "--out", out.to_str().unwrap()]);
    assert!(
        said.starts_with("3 sessions are in ") && !said.contains(KEY),
        "{said}"
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), SAMPLE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&out).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Those that are there stay, whatever is imported.
    let again = home.ok(&["ndk", "import", file.to_str().unwrap()]);
    assert!(again.contains("left as it is"), "{again}");
    // Each manager has its own.
    let none = home.ok(&["ndk", "export", "--namespace", "shop", "--out", "-"]);
    assert!(none.contains("\"sessions\": []"), "{none}");
}

#[test]
fn a_file_is_never_written_over_and_one_that_cannot_be_read_is_left() {
    let home = Home::new("ndk-broken");
    let broken = format!("{{\"sessions\": [{KEY}");
    let file = home.write("ndk.json", &broken);
    let path = file.to_str().unwrap();
    let error = home.fails(&["ndk", "import", path], 2);
    assert!(error.contains("line 1") && !error.contains(KEY), "{error}");
    let error = home.fails(&["ndk", "export", "--out", path], 1);
    assert!(error.contains("ndk.json"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), broken);
    let later = home.write("later.json", "{\"version\":2}");
    let error = home.fails(&["ndk", "import", later.to_str().unwrap()], 2);
    assert!(error.contains("`version`"), "{error}");
}
