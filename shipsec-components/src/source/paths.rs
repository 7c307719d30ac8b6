//! What a file's path says about what is found in it.

/// How findings in a file are to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathClass {
    /// Not scanned: lock files, minified and vendored code.
    pub(crate) skipped: bool,
    /// Tests, examples and documentation: findings weigh less.
    pub(crate) secondary: bool,
    /// Configuration, where a value needs no quotes.
    pub(crate) config: bool,
    /// Translations: full of the word "password", never of passwords.
    pub(crate) translation: bool,
    /// Rust, which keeps unit tests in the file they test.
    pub(crate) rust: bool,
}

const LOCK_FILES: &[&str] = &[
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "deno.lock",
    "cargo.lock",
    "poetry.lock",
    "uv.lock",
    "pdm.lock",
    "pipfile.lock",
    "go.sum",
    "go.work.sum",
    "composer.lock",
    "gemfile.lock",
    "flake.lock",
    "mix.lock",
    "pubspec.lock",
    "packages.lock.json",
    "podfile.lock",
    ".terraform.lock.hcl",
    "gradle.lockfile",
];

const VENDORED: &[&str] = &[
    "node_modules",
    "bower_components",
    "vendor",
    "third_party",
    "third-party",
    "thirdparty",
    "site-packages",
    "dist-packages",
    ".venv",
    ".yarn",
    ".pnpm",
    ".tox",
    "__pycache__",
];

const SECONDARY: &[&str] = &[
    "t",
    "test",
    "tests",
    "testing",
    "__tests__",
    "__mocks__",
    "spec",
    "specs",
    "fixture",
    "fixtures",
    "__fixtures__",
    "testdata",
    "test_data",
    "test-data",
    "testutil",
    "testutils",
    "test_utils",
    "example",
    "examples",
    "sample",
    "samples",
    "demo",
    "demos",
    "doc",
    "docs",
    "documentation",
    "mock",
    "mocks",
    "e2e",
    "integration",
    "benches",
    "benchmark",
    "benchmarks",
    "snapshots",
    "__snapshots__",
    "cypress",
    "playwright",
    "tutorial",
    "tutorials",
    "quickstart",
    "cassettes",
];

const TRANSLATIONS: &[&str] = &[
    "locale",
    "locales",
    "i18n",
    "l10n",
    "lang",
    "langs",
    "translations",
    "languages",
];

/// Reads a path that is relative to the root of the walk.
pub(crate) fn classify(path: &str) -> PathClass {
    let lower = path.to_ascii_lowercase();
    let (folders, name) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let stem = name.split('.').next().unwrap_or(name);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    let mut folders = folders.split('/').filter(|folder| !folder.is_empty());

    let skipped = LOCK_FILES.contains(&name)
        || name.ends_with(".min.js")
        || name.ends_with(".min.css")
        || name.ends_with(".min.mjs")
        || matches!(
            extension,
            "map" | "svg" | "lock" | "snap" | "pdf" | "woff" | "ttf" | "pyc"
        )
        || folders.clone().any(|folder| VENDORED.contains(&folder));
    let named_as_test = stem.starts_with("test_")
        || stem.ends_with("_test")
        || stem.ends_with("_tests")
        || stem.ends_with("-test")
        || stem == "test"
        || stem == "tests"
        || stem == "conftest"
        || stem == "example"
        || stem == "examples"
        || stem.starts_with("example-")
        || stem.starts_with("example_")
        || stem.starts_with("examples-")
        || [
            ".test.",
            ".tests.",
            ".spec.",
            ".stories.",
            ".mock.",
            ".example",
            ".sample",
            ".dist",
            ".template",
        ]
        .iter()
        .any(|part| name.contains(part));
    let document = matches!(
        extension,
        "md" | "mdx" | "rst" | "adoc" | "asciidoc" | "txt" | "html" | "htm"
    ) || matches!(
        stem,
        "readme" | "changelog" | "changes" | "news" | "history" | "pkg-info"
    );
    let secondary = named_as_test || document || folders.clone().any(is_secondary_folder);
    let config = matches!(
        extension,
        "env"
            | "ini"
            | "cfg"
            | "conf"
            | "cnf"
            | "config"
            | "properties"
            | "yaml"
            | "yml"
            | "toml"
            | "json"
            | "tfvars"
            | "npmrc"
            | "netrc"
            | "pypirc"
            | "credentials"
            | "secrets"
            // In these a bare word is the value itself, too.
            | "sh"
            | "bash"
            | "zsh"
            | "envrc"
            | "tf"
            | "hcl"
    ) || name.starts_with(".env")
        || name.starts_with("dockerfile")
        || matches!(
            name,
            "credentials" | ".npmrc" | ".pypirc" | ".netrc" | ".pgpass"
        );
    let translation = folders.any(|folder| TRANSLATIONS.contains(&folder))
        || matches!(extension, "po" | "pot" | "xlf" | "strings" | "resx");
    PathClass {
        skipped,
        secondary,
        config,
        translation,
        rust: extension == "rs",
    }
}

fn is_secondary_folder(folder: &str) -> bool {
    SECONDARY.contains(&folder)
        || ["_test", "-test", "_tests", "-tests", ".tests", "-examples"]
            .iter()
            .any(|end| folder.ends_with(end))
}

/// Whether the file lies in somebody else's code, such as `node_modules`.
pub(crate) fn is_vendored(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let (folders, _) = lower.rsplit_once('/').unwrap_or_default();
    folders.split('/').any(|folder| VENDORED.contains(&folder))
}

/// Whether the file lies in a folder of tests, examples or documentation.
pub(crate) fn is_in_secondary_folder(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let (folders, _) = lower.rsplit_once('/').unwrap_or_default();
    folders.split('/').any(is_secondary_folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart() {
        for path in [
            "Cargo.lock",
            "web/package-lock.json",
            "a/node_modules/x/i.js",
            "d/app.min.js",
        ] {
            assert!(classify(path).skipped, "{path}");
        }
        for path in [
            "tests/a.rs",
            "pkg/a_test.go",
            "src/a.spec.ts",
            "README.md",
            "docs/x.py",
            ".env.example",
            "MyApp-Tests/a.cs",
            "t/unit/a.py",
            "data/examples-1.json",
            "Thing.egg-info/PKG-INFO",
            "lib/test_client.py",
        ] {
            assert!(classify(path).secondary, "{path}");
        }
        for path in [
            "src/main.rs",
            "latest/app.py",
            "contest/a.go",
            ".env",
            "config/prod.yml",
        ] {
            let class = classify(path);
            assert!(!class.secondary && !class.skipped, "{path}");
        }
        assert!(
            classify(".env").config && classify(".env.local").config && classify("a/b.yml").config
        );
        assert!(!classify("src/main.rs").config);
        assert!(classify("web/locales/de.json").translation);
    }
}
