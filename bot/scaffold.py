"""What `mend new connector` writes: a sheet and the provider's answers for its test, both with blanks to fill in.

They are whole but for the blanks: a check runs and its test passes. `bot/lint.py` names each blank that is left.
"""

BLANK = "FILL IN"

SHEET = """# yaml-language-server: $schema=sheet.schema.json
key: {key}
title: {title}
driver: http
family: others # FILL IN: where people look for it, one of those that `mend connectors` lists
platform_types: # FILL IN: what the platforms that read it call it, no others
  {{stitch: platform.{key}, airbyte: source-{dashed}, fivetran: {key}}}
platform_auth: api_key # FILL IN: how these platforms hold the credential
fields:
  - {{name: access_token, label: Access token, secret: true, required: true, also: [token, api_key],
     example: "${{env:{upper}_TOKEN}}", where: "FILL IN: the menu path to it", help: "FILL IN: what it is."}}
checks: [status_page_quiet, name_resolves, port_answers, tls_agrees, credentials_accepted, permissions_sufficient]
http:
  base_url: "https://FILL IN: the host of the API"
  described: {{at: "https://FILL IN: what the provider publishes of its API", read: "{today}"}}
  auth: bearer # FILL IN: how the credential is sent
  secret: access_token
  identity: /me # FILL IN: a call that answers only to a good credential
  own_error: error # FILL IN: the key that the provider's own errors carry
  grant: "FILL IN: the menu path that gives a right"
  resources: # FILL IN: for each the smallest read, and the scopes or the role that it takes
    items: {{path: "/items?limit=1", scopes: [items.read]}}
  answers: # FILL IN: what the provider's own words mean, the special before the general
    - {{status: 401, body: expired, cause: token_expired, code: auth.access_token_expired}}
    - {{status: 403, body: scope, cause: missing_privilege, code: auth.insufficient_scope}}
status_page: {{kind: statuspage, url: "https://FILL IN: its status page"}}
console: "https://FILL IN: where a person signs in"
roles: "FILL IN: who may read all of it, as it goes on after: It takes"
regeneration:
  kind: rotate # FILL IN: reauthorize where people sign in, update_credentials where a new one ends the old
  who: "FILL IN: who may make a new one, as it goes on after: This is for"
  steps: ["FILL IN: the menu path to a new one, in the console's own words"]
  shown_once: true # FILL IN: as documented, else leave it out
  old_stays_valid: true # FILL IN: as documented, else leave it out
support: "https://FILL IN: the repository of who supports it, or certified"
docs: ["https://FILL IN: how a new one is made"]
facts_date: "{today}"
source: "https://FILL IN: what its errors mean"
"""

# Beside a checkout's tests: `tests/checks/test_http_sheets.py` asks for one per sheet.
ANSWERS = """# The provider's own answers. FILL IN: where the words were read, if not at docs
docs: "https://FILL IN: what its errors mean"
settings: {{}} # FILL IN: a value for each field that is no secret
credential: {{authorization: "Bearer {{key}}"}} # FILL IN: the header of a good call
tables: [items] # FILL IN: two resources of the sheet
good: # FILL IN: the smallest documented answer of each call
  /me: {{id: 1}}
  /items: {{items: []}}
# FILL IN: below, what it answers in its own words
bad_credential: {{status: 401, body: {{error: invalid token}}, expect: auth.invalid_token}}
missing_scope:
  at: /items
  status: 403
  body: {{error: scope items.read is missing}}
  expect: auth.insufficient_scope
  missing: [items]
  scopes: [items.read]
rate_limit: {{status: 429, headers: {{Retry-After: "7"}}, body: {{error: slow down}}, expect: limit.rate_limited}}
down: {{status: 503, body: {{error: unavailable}}, expect: availability.provider_error}}
"""
