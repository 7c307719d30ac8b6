//! The rules: what each provider documents of its tokens' form.
//!
//! Facts come from the page named in `source`; patterns are written for this crate. Every
//! pattern has the group `secret`, and the engine itself demands that no letter, digit or
//! underscore touches the group on either side.

use super::checks::{self, Candidate, Verdict};
use super::connections;
use crate::contract::Severity;

/// One kind of secret.
pub(super) struct Rule {
    /// Stable id, shown in reports and used in fingerprints.
    pub(super) id: &'static str,
    /// What it is, in a few words.
    pub(super) title: &'static str,
    /// Before the path is taken into account.
    pub(super) severity: Severity,
    /// Lower case; one of them must stand near the secret.
    pub(super) keywords: &'static [&'static str],
    /// A `regex::bytes` pattern with the group `secret`.
    pub(super) pattern: &'static str,
    /// Shannon entropy that the secret must have, in bits per byte; 0 asks for none.
    pub(super) entropy: f32,
    /// How many leading bytes of the secret are a fixed prefix that may be shown.
    pub(super) shown: usize,
    /// The last gate.
    pub(super) check: fn(&Candidate<'_>) -> Verdict,
    /// Where the provider describes the form.
    pub(super) source: &'static str,
    /// What the rule demands of its surroundings.
    pub(super) kind: Kind,
}

/// How a rule is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The provider's form is strict; found anywhere in a line.
    Token,
    /// Spans lines.
    Block,
    /// A name and a value; gives way to every other rule at the same place.
    Assignment,
}

const fn token(
    id: &'static str,
    title: &'static str,
    severity: Severity,
    keywords: &'static [&'static str],
    pattern: &'static str,
    (entropy, shown): (f32, usize),
    source: &'static str,
) -> Rule {
    let (check, kind) = (
        checks::plausible as fn(&Candidate<'_>) -> Verdict,
        Kind::Token,
    );
    Rule {
        id,
        title,
        severity,
        keywords,
        pattern,
        entropy,
        shown,
        check,
        source,
        kind,
    }
}

impl Rule {
    const fn checked(mut self, check: fn(&Candidate<'_>) -> Verdict) -> Self {
        self.check = check;
        self
    }

    const fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }
}

use Severity::{Critical, High, Medium};

/// Every rule that is run.
#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    token("secret.aws-access-key-id", "AWS access key id", Medium, &["akia", "asia"],
        r"(?P<secret>(?:AKIA|ASIA)[A-Z2-7]{16})", (3.0, 4),
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html"),
    token("secret.aws-secret-access-key", "AWS secret access key", Critical, &["aws", "secretaccesskey", "secret_access_key"],
        r#"(?i)(?:aws[a-z0-9_.-]{0,24}secret|secret_?access_?key)[a-z0-9_.-]{0,24}["'`\]]{0,2}\s{0,16}(?::=|=>|=|:|,)\s{0,16}["'`]?(?P<secret>[A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)"#, (3.8, 0),
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html")
        .checked(checks::aws_secret),
    token("secret.github-token", "GitHub token", Critical, &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"(?P<secret>gh[pousr]_[A-Za-z0-9]{36})", (3.0, 4),
        "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/")
        .checked(checks::crc32_base62),
    token("secret.github-fine-grained-token", "GitHub fine-grained personal access token", Critical, &["github_pat_"],
        r"(?P<secret>github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})", (3.5, 11),
        "https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github"),
    token("secret.gitlab-token", "GitLab token", Critical, &["glpat-", "glptt-", "gldt-", "glrt-", "glcbt-", "glagent-", "gloas-"],
        r"(?P<secret>gl(?:pat|ptt|dt|rt|cbt|agent|oas)-[A-Za-z0-9_-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{7,9})?)", (3.5, 6),
        "https://docs.gitlab.com/security/tokens/#token-prefixes"),
    token("secret.slack-token", "Slack token", Critical, &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxe", "xapp-"],
        r"(?P<secret>xox[abprs]-[0-9]{10,13}-(?:[0-9]{10,13}-){0,2}[A-Za-z0-9]{24,64}|xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{140,180}|xapp-[0-9]-[A-Z0-9]{9,13}-[0-9]{10,13}-[a-f0-9]{64})", (3.0, 5),
        "https://docs.slack.dev/authentication/tokens"),
    token("secret.slack-webhook", "Slack incoming webhook", High, &["hooks.slack.com"],
        r"(?P<secret>https://hooks\.slack\.com/(?:services/T[A-Z0-9]{8,12}/B[A-Z0-9]{8,12}|workflows/T[A-Z0-9]{8,12}/A[A-Z0-9]{8,12}/[0-9]{15,20})/[A-Za-z0-9]{24})", (3.5, 24),
        "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks"),
    token("secret.stripe-key", "Stripe live secret key", Critical, &["sk_live_", "rk_live_"],
        r"(?P<secret>[sr]k_live_[A-Za-z0-9]{24,247})", (3.0, 8),
        "https://docs.stripe.com/keys"),
    token("secret.google-api-key", "Google API key", Medium, &["aiza"],
        r"(?P<secret>AIza[0-9A-Za-z_-]{35})", (3.8, 4),
        "https://cloud.google.com/docs/authentication/api-keys"),
    token("secret.google-oauth-client-secret", "Google OAuth client secret", High, &["gocspx-"],
        r"(?P<secret>GOCSPX-[A-Za-z0-9_-]{28})", (3.5, 7),
        "https://support.google.com/cloud/answer/15549257"),
    token("secret.openai-key", "OpenAI API key", Critical, &["t3blbkfj"],
        r"(?P<secret>sk-(?:(?:proj|svcacct|admin)-)?[A-Za-z0-9_-]{20,90}T3BlbkFJ[A-Za-z0-9_-]{20,90})", (3.5, 3),
        "https://platform.openai.com/docs/api-reference/authentication"),
    token("secret.anthropic-key", "Anthropic API key", Critical, &["sk-ant-"],
        r"(?P<secret>sk-ant-(?:api|admin)[0-9]{2}-[A-Za-z0-9_-]{93}AA)", (3.5, 7),
        "https://docs.anthropic.com/en/api/admin-api/apikeys/get-api-key"),
    token("secret.npm-token", "npm access token", Critical, &["npm_"],
        r"(?P<secret>npm_[A-Za-z0-9]{36})", (3.0, 4),
        "https://github.blog/changelog/2021-09-23-npm-has-a-new-access-token-format/")
        .checked(checks::crc32_base62),
    token("secret.npm-legacy-token", "npm token in .npmrc", High, &["_authtoken"],
        r#"(?i):_authToken\s{0,3}=\s{0,3}["']?(?P<secret>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"#, (3.0, 0),
        "https://docs.npmjs.com/about-access-tokens"),
    token("secret.pypi-token", "PyPI API token", Critical, &["pypi-age"],
        r"(?P<secret>pypi-(?:AgEIcHlwaS5vcmc|AgENdGVzdC5weXBpLm9yZw)[A-Za-z0-9_-]{50,1000})", (3.5, 5),
        "https://pypi.org/help/#apitoken"),
    token("secret.crates-io-token", "crates.io API token", Critical, &["cio"],
        r"(?P<secret>cio[A-Za-z0-9]{32})", (4.0, 3),
        "https://github.com/rust-lang/crates.io/blob/main/crates/crates_io_database/src/models/token.rs")
        .checked(checks::mixed),
    token("secret.rubygems-token", "RubyGems API key", Critical, &["rubygems_"],
        r"(?P<secret>rubygems_[a-f0-9]{48})", (3.0, 9),
        "https://guides.rubygems.org/api-key-scopes/"),
    token("secret.nuget-key", "NuGet API key", Critical, &["oy2"],
        r"(?P<secret>oy2[a-z0-9]{43})", (3.8, 3),
        "https://learn.microsoft.com/en-us/nuget/nuget-org/scoped-api-keys")
        .checked(checks::mixed),
    token("secret.docker-token", "Docker access token", Critical, &["dckr_pat_", "dckr_oat_"],
        r"(?P<secret>dckr_[po]at_[A-Za-z0-9_-]{27,32})", (3.5, 9),
        "https://docs.docker.com/security/access-tokens/"),
    token("secret.twilio-auth-token", "Twilio auth token", Critical, &["twilio"],
        r#"(?i)twilio[a-z0-9_.\-]{0,24}(?:auth|token|secret)[a-z0-9_.\-]{0,24}["'`\]]{0,2}\s{0,4}(?::=|=>|=|:|,)\s{0,4}["'`]?(?P<secret>[0-9a-f]{32})"#, (3.0, 0),
        "https://www.twilio.com/docs/iam/access-tokens"),
    token("secret.sendgrid-key", "SendGrid API key", Critical, &["sg."],
        r"(?P<secret>SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})", (4.0, 3),
        "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys"),
    token("secret.mailgun-key", "Mailgun API key", High, &["mailgun"],
        r#"(?i)mailgun[^\n]{0,60}[^a-z0-9](?P<secret>key-[0-9a-z]{32}|[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8})"#, (3.0, 0),
        "https://documentation.mailgun.com/docs/mailgun/api-reference/authentication/"),
    token("secret.mailchimp-key", "Mailchimp API key", High, &["-us"],
        r"(?P<secret>[0-9a-f]{32}-us[0-9]{1,2})", (3.0, 0),
        "https://mailchimp.com/developer/marketing/guides/quick-start/"),
    token("secret.azure-storage-key", "Azure storage account key", Critical, &["accountkey="],
        r"(?i)AccountKey=(?P<secret>[A-Za-z0-9+/]{86}==)", (4.5, 0),
        "https://learn.microsoft.com/en-us/azure/storage/common/storage-account-keys-manage")
        .checked(checks::not_the_azure_emulator),
    token("secret.digitalocean-token", "DigitalOcean token", Critical, &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"(?P<secret>do[por]_v1_[a-f0-9]{64})", (3.0, 7),
        "https://docs.digitalocean.com/reference/api/create-personal-access-token/"),
    token("secret.huggingface-token", "Hugging Face token", Critical, &["hf_"],
        r"(?P<secret>hf_[A-Za-z]{34})", (4.0, 3),
        "https://huggingface.co/docs/hub/security-tokens")
        .checked(checks::both_cases),
    token("secret.databricks-token", "Databricks access token", Critical, &["dapi"],
        r"(?P<secret>dapi[a-f0-9]{32}(?:-[0-9])?)", (3.0, 4),
        "https://docs.databricks.com/aws/en/dev-tools/auth/pat"),
    token("secret.telegram-bot-token", "Telegram bot token", High, &[":aa"],
        r"(?P<secret>[0-9]{8,10}:AA[A-Za-z0-9_-]{33})", (4.0, 0),
        "https://core.telegram.org/bots/api#authorizing-your-bot"),
    token("secret.discord-webhook", "Discord webhook", High, &["/api/webhooks/"],
        r"(?P<secret>https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/[A-Za-z0-9_-]{60,72})", (3.5, 8),
        "https://discord.com/developers/docs/resources/webhook"),
    token("secret.shopify-token", "Shopify token", Critical, &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"(?P<secret>shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32})", (3.0, 6),
        "https://shopify.dev/changelog/length-of-the-shopify-access-token-is-increasing"),
    token("secret.square-token", "Square token", Critical, &["sq0atp-", "sq0csp-"],
        r"(?P<secret>sq0(?:atp-[A-Za-z0-9_-]{22}|csp-[A-Za-z0-9_-]{43}))", (3.5, 7),
        "https://developer.squareup.com/docs/build-basics/access-tokens"),
    token("secret.vault-token", "HashiCorp Vault token", Critical, &["hvs.", "hvb."],
        r"(?P<secret>hv[sb]\.[A-Za-z0-9_-]{90,300})", (3.8, 4),
        "https://developer.hashicorp.com/vault/docs/concepts/tokens#token-prefixes"),
    token("secret.terraform-cloud-token", "Terraform Cloud token", Critical, &[".atlasv1."],
        r"(?P<secret>[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70})", (3.8, 0),
        "https://developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens"),
    token("secret.pulumi-token", "Pulumi access token", Critical, &["pul-"],
        r"(?P<secret>pul-[a-f0-9]{40})", (3.0, 4),
        "https://www.pulumi.com/docs/pulumi-cloud/access-management/access-tokens/"),
    token("secret.grafana-token", "Grafana service account token", High, &["glsa_"],
        r"(?P<secret>glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8})", (3.5, 5),
        "https://grafana.com/docs/grafana/latest/administration/service-accounts/"),
    token("secret.sentry-token", "Sentry token", High, &["sntryu_", "sntrys_"],
        r"(?P<secret>sntryu_[a-f0-9]{64}|sntrys_eyJ[A-Za-z0-9+/=_-]{80,600})", (3.0, 7),
        "https://docs.sentry.io/account/auth-tokens/"),
    token("secret.newrelic-key", "New Relic user key", High, &["nrak-"],
        r"(?P<secret>NRAK-[A-Z0-9]{27})", (3.5, 5),
        "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/"),
    token("secret.linear-key", "Linear API key", High, &["lin_api_"],
        r"(?P<secret>lin_api_[A-Za-z0-9]{40})", (3.5, 8),
        "https://linear.app/developers/graphql"),
    token("secret.postman-key", "Postman API key", High, &["pmak-"],
        r"(?P<secret>PMAK-[a-f0-9]{24}-[a-f0-9]{34})", (3.0, 5),
        "https://learning.postman.com/docs/developer/postman-api/authentication/"),
    token("secret.figma-token", "Figma access token", High, &["figd_"],
        r"(?P<secret>figd_[A-Za-z0-9_-]{40})", (3.5, 5),
        "https://www.figma.com/developers/api#access-tokens"),
    token("secret.supabase-token", "Supabase access token", Critical, &["sbp_"],
        r"(?P<secret>sbp_[a-f0-9]{40})", (3.0, 4),
        "https://supabase.com/docs/reference/api/introduction"),
    token("secret.planetscale-token", "PlanetScale token or password", Critical, &["pscale_"],
        r"(?P<secret>pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64})", (3.5, 7),
        "https://planetscale.com/docs/api/reference/service-tokens"),
    token("secret.doppler-token", "Doppler token", Critical, &["dp.pt.", "dp.st.", "dp.ct.", "dp.sa."],
        r"(?P<secret>dp\.(?:pt|ct|sa|st(?:\.[a-z0-9_-]{2,35})?)\.[A-Za-z0-9]{40,44})", (3.5, 3),
        "https://docs.doppler.com/reference/auth-token-formats"),
    token("secret.atlassian-token", "Atlassian API token", Critical, &["atatt3"],
        r"(?P<secret>ATATT3[A-Za-z0-9_=-]{180,200})", (3.8, 6),
        "https://support.atlassian.com/atlassian-account/docs/manage-api-tokens-for-your-atlassian-account/"),
    token("secret.airtable-token", "Airtable personal access token", High, &["pat"],
        r"(?P<secret>pat[A-Za-z0-9]{14}\.[a-f0-9]{64})", (3.5, 3),
        "https://airtable.com/developers/web/guides/personal-access-tokens"),
    token("secret.groq-key", "Groq API key", High, &["gsk_"],
        r"(?P<secret>gsk_[A-Za-z0-9]{52})", (4.0, 4),
        "https://console.groq.com/docs/quickstart"),
    token("secret.age-secret-key", "age secret key", Critical, &["age-secret-key-1"],
        r"(?P<secret>AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})", (3.5, 16),
        "https://age-encryption.org/v1"),
    token("secret.jwt", "JSON Web Token", Medium, &["eyj"],
        r"(?P<secret>eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{27,1000})", (0.0, 3),
        "https://www.rfc-editor.org/rfc/rfc7519")
        .checked(checks::jwt),
    token("secret.private-key", "Private key", Critical, &["private key-----", "private key block-----"],
        r"(?s)(?P<secret>-----BEGIN (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----.{40,16000}?-----END (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----)", (0.0, 0),
        "https://www.rfc-editor.org/rfc/rfc7468")
        .checked(checks::private_key).of_kind(Kind::Block),
    token("secret.private-key-cut", "Private key whose end is cut off", High, &["private key-----", "private key block-----"],
        r#"(?P<secret>-----BEGIN (?:[A-Z0-9]{2,10} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:\\{1,2}[rn]|[\s"'`+,;\#*|>\\]){1,24}(?:[A-Z][A-Za-z-]{3,20}: [^\n\\"]{1,200}(?:\\{1,2}[rn]|[\s"'`+,;\#*|>\\]){1,24}){0,4}(?:[A-Za-z0-9+/=]{8,}(?:\\{1,2}[rn]|[\s"'`+,;\#*|>\\])*)+)(?P<tail>-----|\.\.|\xe2\x80\xa6|[<\[({$%-])?"#, (0.0, 0),
        "https://www.rfc-editor.org/rfc/rfc7468")
        .checked(checks::private_key_cut).of_kind(Kind::Block),
    token("secret.url-password", "Password in a connection string", High, &["://"],
        r#"(?i)(?P<scheme>[a-z][a-z0-9+.-]{1,20})://(?P<user>[^\s:/@?\#"'`<>]{0,64}):(?P<secret>[^\s/"'`<>]{3,128}?)@(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]{1,253})"#, (0.0, 0),
        "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1")
        .checked(connections::url_password),
    token("secret.generic-key", "Hard-coded key or token", Medium,
        &["key", "secret", "token", "password", "passwd", "credential"],
        r#"(?i)(?P<key>[a-z0-9_.-]{0,40}(?:api[_.-]?key|secret|token|password|passwd|(?:auth|access|private|signing|encryption|master|account|service)[_.-]?key|credential)s?[a-z0-9_]{0,24})(?:["'`]\s{0,2},|["'`\]]{0,2}(?:\s{0,4}:\s{0,2}[&'a-z_<>\[\] ]{1,30}?)?\s{0,8}(?::=|=>|=|:))\s{0,8}(?:(?P<quote>["'`])(?P<secret>[a-z0-9+/=_.~!@\#$%^&*-]{16,200})["'`]|(?P<bare>[a-z0-9+/=_.~!@\#$%^&*-]{16,200}))"#, (3.0, 0),
        "https://cwe.mitre.org/data/definitions/798.html")
        .checked(checks::generic_key).of_kind(Kind::Assignment),
    token("secret.config-password", "Password in a configuration file", Medium, &["password", "passwd", "pwd"],
        r#"(?im)^\s{0,40}(?:export\s{1,4}|set\s{1,4}|env\s{1,4}|-\s{1,4})?["']?(?P<key>[a-z0-9_.-]{0,60}(?:password|passwd|pwd))["']?\s{0,8}(?:=|:)\s{0,8}(?:(?P<quote>["'])(?P<secret>[^\s"']{6,100})["']|(?P<bare>[^\s"']{6,100}))\s{0,8},?\s*$"#, (0.0, 0),
        "https://cwe.mitre.org/data/definitions/260.html")
        .checked(checks::config_password).of_kind(Kind::Assignment),
    token("secret.authorization-header", "Credentials in an authorization header", Medium, &["authorization"],
        r#"(?i)authorization["'`\]]{0,2}\s{0,4}(?::=|=>|=|:|,)\s{0,4}["'`]?(?P<scheme>bearer|token|basic)\s{1,4}(?P<secret>[a-z0-9+/=_.~-]{20,400})"#, (3.0, 0),
        "https://www.rfc-editor.org/rfc/rfc9110#name-authorization")
        .checked(checks::authorization),
    token("secret.docker-auth", "Password of a container registry", High, &["\"auth\""],
        r#""auth"\s{0,4}:\s{0,4}"(?P<secret>[A-Za-z0-9+/]{12,1000}={0,2})""#, (3.0, 0),
        "https://docs.docker.com/reference/cli/docker/login/#credential-stores")
        .checked(checks::basic_auth),
    token("secret.netrc-password", "Password in a netrc file", High, &["machine"],
        r"(?im)^\s{0,8}machine\s{1,8}(?P<host>\S{3,253})\s{1,8}login\s{1,8}(?P<user>\S{1,100})\s{1,8}password\s{1,8}(?P<secret>\S{6,200})\s*$", (0.0, 0),
        "https://www.gnu.org/software/inetutils/manual/html_node/The-_002enetrc-file.html")
        .checked(checks::chosen_password).of_kind(Kind::Assignment),
    token("secret.connection-password", "Password in a connection string", Medium, &["password=", "pwd="],
        r#"(?i)(?:jdbc:[a-z0-9]{2,20}:|(?:server|data source|host|user id|uid|user)\s?=)[^\n"'`]{0,200}[;?&](?P<key>password|pwd)=(?P<secret>[^\s;&"'`<>]{6,128})"#, (0.0, 0),
        "https://cwe.mitre.org/data/definitions/798.html")
        .checked(checks::chosen_password).of_kind(Kind::Assignment),
    token("secret.source-password", "Hard-coded password", Medium, &["password", "passwd", "pwd"],
        r#"(?i)(?P<key>[a-z0-9_.-]{0,60}(?:password|passwd|pwd))(?:["'`]\s{0,2},|["'`\]]{0,2}(?:\s{0,4}:\s{0,2}[&'a-z_<>\[\] ]{1,30}?)?\s{0,8}(?::=|=>|=|:))\s{0,8}(?P<quote>["'`])(?P<secret>[^\s"'`]{8,64})["'`]"#, (2.5, 0),
        "https://cwe.mitre.org/data/definitions/798.html")
        .checked(checks::source_password).of_kind(Kind::Assignment),
];
