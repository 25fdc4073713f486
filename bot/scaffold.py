"""What `mend new connector` writes: a sheet that passes, and the provider's answers for its test."""

SHEET = """# yaml-language-server: $schema=sheet.schema.json
key: {key}
title: {title}
driver: http
family: others
platform_types: {{stitch: platform.{key}, airbyte: source-{dashed}, fivetran: {key}}}
platform_auth: api_key
fields:
  - {{name: access_token, label: Access token, secret: true, required: true, also: [token, api_key],
     example: "${{env:{upper}_TOKEN}}", where: "Settings > API", help: "A token that may read what is selected."}}
checks: [status_page_quiet, name_resolves, port_answers, tls_agrees, credentials_accepted, permissions_sufficient]
http:
  base_url: "https://api.example.com"
  described: {{at: "https://github.com/example/openapi", read: "{today}"}}
  auth: bearer
  secret: access_token
  identity: /me
  own_error: error
  grant: "Settings > API > the token > Scopes"
  resources:
    items: {{path: "/items?limit=1", scopes: [items.read]}}
  answers:
    - {{status: 401, body: expired, cause: token_expired, code: auth.access_token_expired}}
    - {{status: 403, body: scope, cause: missing_privilege, code: auth.insufficient_scope}}
console: "https://app.example.com"
roles: an administrator of the account
regeneration:
  kind: update_credentials
  who: an administrator of the account
  steps: ["Settings > API > Create token"]
  shown_once: true
  old_stays_valid: true
support: certified
docs: ["https://docs.example.com/authentication"]
facts_date: "{today}"
source: https://docs.example.com/errors
"""

# Beside a checkout's tests: `tests/checks/test_http_sheets.py` asks for one per sheet.
ANSWERS = """# The provider's own answers, from its documentation.
docs: https://docs.example.com/errors
credential: {{authorization: "Bearer {{key}}"}}
tables: [items]
good:
  /me: {{id: 1}}
  /items: {{items: []}}
bad_credential: {{status: 401, body: {{error: "invalid token"}}, expect: auth.invalid_token}}
missing_scope: {{at: /items, status: 403, body: {{error: "scope items.read is missing"}},
  expect: auth.insufficient_scope, missing: [items], scopes: [items.read]}}
rate_limit: {{status: 429, headers: {{Retry-After: "7"}}, body: {{error: "slow down"}}, expect: limit.rate_limited}}
down: {{status: 503, body: {{error: "unavailable"}}, expect: availability.provider_error}}
"""
