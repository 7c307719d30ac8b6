use super::super::cyclonedx;
use super::*;
use crate::source::{WalkOptions, walk};
use proptest::prelude::*;

fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<SourceFile>) {
    let dir = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let files = walk(dir.path(), &WalkOptions::default(), &|| false)
        .unwrap()
        .files;
    (dir, files)
}

const CARGO: &str = "version = 3\n\n[[package]]\nname = \"serde\"\nversion = \"1.0.200\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

fn mixed() -> (tempfile::TempDir, Vec<SourceFile>) {
    tree(&[
        ("Cargo.lock", CARGO),
        ("tools/Cargo.lock", CARGO),
        ("broken/Cargo.lock", "[[package]\n"),
        (
            "web/package-lock.json",
            r#"{"packages":{"node_modules/@babel/core":{"version":"7.1.0"},"node_modules/x/node_modules/@babel/core":{"version":"7.1.0"}}}"#,
        ),
        (
            "web/node_modules/y/package-lock.json",
            r#"{"packages":{"node_modules/z":{"version":"1.0.0"}}}"#,
        ),
        ("py/requirements-dev.txt", "PyYAML==5.3\nflask\n"),
        (
            "svc/go.mod",
            "module m\ngo 1.22\nrequire golang.org/x/text v0.3.0\n",
        ),
        ("svc/go.sum", "golang.org/x/text v0.1.0 h1:x=\n"),
        (
            "odd/Pipfile.lock",
            "{\"default\":{\"two\\nlines\":{\"version\":\"==1.0\"}}}",
        ),
    ])
}

#[test]
fn joins_files_and_warns_of_broken_ones() {
    let (dir, files) = mixed();
    let found = inventory(&dir.path().canonicalize().unwrap(), &files, &mut |_, _| {
        true
    });
    let purls: Vec<_> = found.packages.iter().map(|p| p.purl.as_str()).collect();
    assert_eq!(
        purls,
        [
            "pkg:golang/golang.org/x/text@0.3.0",
            "pkg:pypi/pyyaml@5.3",
            "pkg:cargo/serde@1.0.200",
            "pkg:npm/%40babel/core@7.1.0",
        ]
    );
    assert_eq!(found.packages[2].locations.len(), 2);
    assert_eq!(found.lock_files.len(), 6);
    for (file, warning) in [
        "broken/Cargo.lock",
        "odd/Pipfile.lock",
        "py/requirements-dev.txt",
    ]
    .iter()
    .zip(&found.warnings)
    {
        assert!(warning.starts_with(file), "{warning}");
    }
}

#[test]
fn requirements_of_requirements_are_followed_within_the_tree() {
    let (dir, files) = tree(&[
        (
            "py/requirements.txt",
            "-r ../shared/base.in\n-r gone.txt\n-r ../../etc/passwd\na==1.0\n",
        ),
        ("shared/base.in", "-r more/deep.in\n-r base.in\nb==1.0\n"),
        ("shared/more/deep.in", "-r ../base.in\nc==1.0\n"),
    ]);
    let mut told = Vec::new();
    let found = inventory(
        &dir.path().canonicalize().unwrap(),
        &files,
        &mut |done, total| {
            told.push((done, total));
            true
        },
    );
    let names: Vec<_> = found.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(found.packages[2].locations[0].path, "shared/more/deep.in");
    assert_eq!(told, [(1, 2), (2, 3), (3, 3)]);
    assert_eq!(
        found.warnings,
        [
            "py/requirements.txt: gone.txt is not in this tree; its packages are missing here",
            "py/requirements.txt: ../../etc/passwd is not in this tree; its packages are missing here"
        ]
    );
}

#[test]
fn the_bill_of_materials_is_valid_and_always_the_same() {
    let (dir, files) = mixed();
    let found = inventory(&dir.path().canonicalize().unwrap(), &files, &mut |_, _| {
        true
    });
    let bytes = cyclonedx("app", &found.packages).unwrap();
    assert_eq!(bytes, cyclonedx("app", &found.packages).unwrap());
    let bom = cyclonedx_bom::prelude::Bom::parse_from_json(&bytes[..]).unwrap();
    use cyclonedx_bom::prelude::{SpecVersion, Validate as _};
    assert!(bom.validate_version(SpecVersion::V1_5).passed());
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_parser_panics(text in "(?s).{0,400}", cut in 0..400_usize) {
        let yarn = "# yarn lockfile v1\n\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://r/a/-/a.tgz#x\"\n";
        let seeds = [
            CARGO, yarn, "lockfileVersion: 9\npackages:\n  /@:\n  a@1.0.0:\n", "{\"packages\":{\"node_modules/\":{\"version\":\"1.0.0\"}}}",
            "module m\nreplace (\n=> =>\n)\nrequire a v1\n", "a==1\n[==]\n", "[[package]]\nname=\"\"\nversion=\"1\"\n",
        ];
        for path in ["Cargo.lock", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock", "Pipfile.lock", "go.mod", "go.sum", "requirements.txt"] {
            let (ecosystem, parse) = parser_of(path).unwrap();
            for seed in seeds {
                let cut = seed.floor_char_boundary(cut.min(seed.len()));
                let mangled = format!("{}{text}{}", &seed[..cut], &seed[cut..]);
                for candidate in [&mangled, &text] {
                    if let Ok(lock) = parse(candidate) {
                        let mut packages = BTreeMap::new();
                        add(&mut packages, ecosystem, path, lock);
                        let packages: Vec<_> = packages.into_values().collect();
                        prop_assert!(cyclonedx("app", &packages).is_ok());
                    }
                }
            }
        }
    }
}
