"""The platform's edge: everything that knows ServiceStage's HTTP interface, and the only code that changes it.

    client.py    the calls the tool makes, in the model's types
    wire.py      the platform's JSON <-> the model            fields.py    one field of JSON, tolerantly
    access.py    credentials -> what goes on requests         iam.py       tokens and project ids
    metadata.py  temporary keys of the machine's agency       renewal.py   what is given out for a time
    channel.py   how a request is sent and repeated           gate.py      first request alone, none after a 401
    auth.py      who we are, on each request                  signing.py   signatures of an access key
    problems.py  refusals and failures -> typed errors        answer.py    one HTTP answer, its body as JSON
    endpoint.py  where we may say who we are                  requests.py  what changing requests carry
    configuration.py  what a version of a component runs with

Nothing outside this package sees the platform's JSON, an HTTP status or httpx. The modules import each other
downwards only: client -> {wire, requests, channel, endpoint} -> {configuration, auth} -> {signing, renewal, gate,
fields, problems} -> answer, and access -> {iam, metadata} -> {channel, auth}. Import `client` and `access` lazily: they
load httpx.
"""
