"""The platform's edge: everything that knows ServiceStage's HTTP interface, and the only code that changes it.

    client.py    the calls the tool makes, in the model's types
    wire.py      the platform's JSON <-> the model            fields.py    one field of JSON, tolerantly
    channel.py   how a request is sent and repeated           gate.py      first request alone, none after a 401
    problems.py  refusals and failures -> typed errors        answer.py    one HTTP answer, its body as JSON
    auth.py      who we are                                   endpoint.py  where we may say so

Nothing outside this package sees the platform's JSON, an HTTP status or httpx. The modules import each other
downwards only: client -> {wire, channel, endpoint} -> {auth, gate, fields, problems} -> answer. Import `client`
lazily: it loads httpx.
"""
