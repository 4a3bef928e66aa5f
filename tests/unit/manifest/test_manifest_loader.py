"""The loader as a person meets it: every bad input of the manifest's description, with place, code and hint."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from statetool.core.model import Address

if TYPE_CHECKING:
    from conftest import Project

SHOP = "application: shop\ncomponents:\n"
GRAY = "  cart:\n    version: 1.0.0\n"

# id, manifest, then for each expected diagnostic: code, line, column, a part of the hint.
BAD: list[tuple[str, str, list[tuple[str, int, int, str]]]] = [
    ("misspelt key", SHOP + "  cart:\n    replica: 4\n", [("unknown_key", 4, 5, "did you mean 'replicas'?")]),
    ("misspelt document key", "aplication: shop\n", [
        ("unknown_key", 1, 1, "did you mean 'application'?"), ("missing_key", 1, 1, "application:")]),
    ("unknown key", SHOP + "  cart:\n    colour: red\n",
     [("unknown_key", 4, 5, "known keys here: depends_on, env, gray")]),
    ("unknown key in defaults", "application: shop\ndefaults:\n  version: 1.0.0\ncomponents:\n  cart: {}\n",
     [("unknown_key", 3, 3, "labels, lifecycle, ready, replicas, state")]),
    ("text for a number", SHOP + "  cart:\n    replicas: '4'\n", [("wrong_type", 4, 15, "remove the quotes")]),
    ("word for a number", SHOP + "  cart:\n    replicas: four\n", [("wrong_type", 4, 15, "or auto")]),
    ("octal", SHOP + "  cart:\n    replicas: 0o17\n", [("wrong_type", 4, 15, "or auto")]),
    ("leading zero", SHOP + "  cart:\n    replicas: 012\n", [("wrong_type", 4, 15, "or auto")]),
    ("sexagesimal", SHOP + "  cart:\n    replicas: 12:30:45\n", [("wrong_type", 4, 15, "or auto")]),
    ("fraction for a whole number", SHOP + "  cart:\n    replicas: 4.0\n", [("wrong_type", 4, 15, "or auto")]),
    ("boolean for a number", SHOP + "  cart:\n    replicas: true\n", [("wrong_type", 4, 15, "or auto")]),
    ("range upside down", SHOP + "  cart:\n    replicas: {min: 3, max: 2}\n", [("min_above_max", 4, 29, "raise max")]),
    ("range upside down, written the other way round", SHOP + "  cart:\n    replicas: {max: 2, min: 3}\n",
     [("min_above_max", 4, 29, "lower min")]),
    ("range upside down by default", "application: shop\ndefaults: {replicas: {min: 1, max: 2}}\ncomponents:\n"
     "  cart: {replicas: {min: 3}}\n", [("min_above_max", 4, 26, "lower min")]),
    ("range without bounds", SHOP + "  cart:\n    replicas: {}\n", [("missing_key", 4, 15, "`min:` and `max:`")]),
    ("range without a ceiling", SHOP + "  cart:\n    replicas: {min: 3}\n", [("missing_key", 4, 15, "add `max:`")]),
    ("range over a number", "application: shop\ndefaults: {replicas: 2}\ncomponents:\n  cart: {replicas: {max: 4}}\n",
     [("missing_key", 4, 20, "add `min:`")]),
    ("range with a negative floor", SHOP + "  cart:\n    replicas: {min: -1, max: 2}\n",
     [("out_of_range", 4, 21, "at least 0")]),
    ("range with a fraction", SHOP + "  cart:\n    replicas: {min: 1, max: 2.5}\n",
     [("wrong_type", 4, 29, "a whole number")]),
    ("range with a null", SHOP + "  cart:\n    replicas: {min: 1, max: 2, enforce_max: ~}\n",
     [("null_value", 4, 45, "there is none")]),
    ("range with another key", SHOP + "  cart:\n    replicas: {min: 1, max: 2, enforce: true}\n",
     [("unknown_key", 4, 32, "did you mean 'enforce_max'?")]),
    ("range as text", SHOP + "  cart:\n    replicas: 3-9\n", [("wrong_type", 4, 15, "{min: 3, max: 9}")]),
    ("negative replicas", SHOP + "  cart:\n    replicas: -1\n", [("out_of_range", 4, 15, "at least 0")]),
    ("number too large", SHOP + "  cart:\n    replicas: 9007199254740992\n",
     [("integer_too_large", 4, 15, "quotes")]),
    ("number of many digits", SHOP + f"  cart:\n    restart: {'9' * 5000}\n", [("integer_too_large", 4, 14, "quotes")]),
    ("word of YAML 1.1 for a boolean", SHOP + "  cart:\n    lifecycle: {protected: yes}\n",
     [("wrong_type", 4, 28, "true or false")]),
    ("word of YAML 1.1 for a state", SHOP + "  cart:\n    state: off\n",
     [("unknown_value", 4, 12, "running or stopped")]),
    ("misspelt state", SHOP + "  cart:\n    state: stoped\n", [("unknown_value", 4, 12, "did you mean 'stopped'?")]),
    ("version as a fraction", SHOP + "  cart:\n    version: 1.10\n", [("unquoted_text", 4, 14, "quotes")]),
    ("label as a fraction", SHOP + "  cart:\n    labels: {tier: 1.10}\n",
     [("unquoted_text", 4, 20, 'write "1.10" in quotes')]),
    ("label as a boolean", SHOP + "  cart:\n    labels: {canary: true}\n", [("unquoted_text", 4, 22, 'write "true"')]),
    ("application as a number", "application: 7\n", [("unquoted_text", 1, 14, 'write "7" in quotes')]),
    ("token as a fraction", SHOP + "  cart:\n    restart: 1e5\n", [("unquoted_text", 4, 14, 'write "1e5" in quotes')]),
    ("version of two parts", SHOP + "  cart:\n    version: '1.2'\n", [("bad_version", 4, 14, "A.B.C or A.B.C.D")]),
    ("version with letters", SHOP + "  cart:\n    version: v1.2.3\n", [("bad_version", 4, 14, "A.B.C or A.B.C.D")]),
    ("version too long", SHOP + f"  cart:\n    version: 1.2.{'3' * 29}\n", [("bad_version", 4, 14, "32 characters")]),
    ("name begins with a digit", SHOP + "  9cart: {}\n", [("bad_name", 3, 3, "the platform shows")]),
    ("name of one letter", SHOP + "  c: {}\n", [("bad_name", 3, 3, "the platform shows")]),
    ("name ends with a dash", SHOP + "  cart-: {}\n", [("bad_name", 3, 3, "the platform shows")]),
    ("name too long", SHOP + f"  {'c' * 65}: {{}}\n", [("bad_name", 3, 3, "the platform shows")]),
    ("name in Chinese", SHOP + "  购物车: {}\n", [("bad_name", 3, 3, "the platform shows")]),
    ("application with a slash", "application: a/b\n", [("bad_name", 1, 14, "the platform shows")]),
    ("environment with a space", "application: shop\nenvironment: my prod\n",
     [("bad_name", 2, 14, "the platform shows")]),
    ("no application", "components: {cart: {}}\n", [("missing_key", 1, 1, "add `application:`")]),
    ("list as a document", "- application: shop\n", [("wrong_type", 1, 1, "a map")]),
    ("text as a document", "shop\n", [("wrong_type", 1, 1, "`key: value`")]),
    ("component without value", SHOP + "  cart:\n", [("null_value", 3, 8, "write {}")]),
    ("components without value", "application: shop\ncomponents:\n", [("null_value", 2, 12, "write {}")]),
    ("null without a default", SHOP + "  cart: {state: null}\n", [("null_value", 3, 17, "there is none")]),
    ("nested null without a default", SHOP + "  cart: {ready: {hold_s: ~}}\n",
     [("null_value", 3, 26, "there is none")]),
    ("null in defaults", "application: shop\ndefaults: {state: null, labels: {a: }}\ncomponents: {cart: {}}\n",
     [("null_value", 2, 19, "remove the key"), ("null_value", 2, 37, "remove the key")]),
    ("null where no default can be", SHOP + "  cart: {version: null}\n", [("null_value", 3, 19, "remove the key")]),
    ("key twice", SHOP + "  cart:\n    replicas: 1\n    replicas: 2\n", [("duplicate_key", 5, 5, "keep one")]),
    ("merge key", "application: shop\ncomponents:\n  cart: &c {replicas: 1}\n  pay: {<<: *c}\n",
     [("merge_key", 4, 9, "`defaults`")]),
    ("list as a key", "application: shop\n? [a]\n: 1\n", [("bad_key", 2, 3, "plain text")]),
    ("no key", "application: shop\n~: 1\n", [("bad_key", 2, 1, "write the key")]),
    ("custom tag", "application: !env SHOP\n", [("yaml_tag", 1, 14, "remove the tag")]),
    ("standard tag", SHOP + "  cart:\n    version: !!str 1.10\n", [("yaml_tag", 4, 14, "quotes")]),
    ("tag on a map", "application: shop\ncomponents: !!map {}\n", [("yaml_tag", 2, 13, "remove the tag")]),
    ("directive", "%YAML 1.2\n---\napplication: shop\n", [("yaml_directive", 1, 1, "remove the line")]),
    ("unknown alias", "application: *shop\n", [("unknown_alias", 1, 14, "quotes")]),
    ("alias in itself", "application: shop\ncomponents: &a {cart: *a}\n",
     [("alias_loop", 2, 23, "write the value out")]),
    ("tab as indentation", "application: shop\ncomponents:\n\tcart: {}\n", [("tab_character", 3, 1, "spaces")]),
    ("tab after a colon", "application:\tshop\n", [("tab_character", 1, 13, "spaces")]),
    ("NUL", "application: sh\0op\n", [("nul_character", 1, 16, "damaged")]),
    ("escape character", "application: sh\x1bop\n", [("control_character", 1, 16, "reviewers")]),
    ("escaped control character", 'application: "sh\\x1bop"\n', [("control_character", 1, 14, "reviewers")]),
    ("right-to-left override, in a comment too", "application: shop # \u202e\n",
     [("control_character", 1, 21, "reviewers")]),
    ("zero-width space", SHOP + "  cart: {labels: {a: x\u200by}}\n", [("control_character", 3, 22, "reviewers")]),
    ("zero-width space in a key", SHOP + "  ca\u200brt: {}\n", [("control_character", 3, 3, "reviewers")]),
    ("no-break space", SHOP + "  cart: {replicas: 4\u00a0}\n", [("control_character", 3, 20, "reviewers")]),
    ("line break in text", 'application: "a\\nb"\n', [("line_break", 1, 14, "one line")]),
    ("full-width colon", SHOP + "  cart:\n    replicas：4\n", [("full_width_character", 4, 13, "type ':'")]),
    ("full-width colon that breaks the file", SHOP + "  cart:\n    version：1.0.0\n    replicas: ４\n",
     [("full_width_character", 4, 12, "type ':'"), ("full_width_character", 5, 15, "type '4'")]),
    ("full-width comma", SHOP + "  cart: {version: 1.0.0，replicas: 4}\n",
     [("full_width_character", 3, 24, "type ','")]),
    ("full-width comma in a list", SHOP + "  aa: {}\n  cart: {depends_on: [aa，bb]}\n",
     [("full_width_character", 4, 25, "put the text in quotes")]),
    ("full-width digit", SHOP + "  cart:\n    replicas: 1０\n", [("full_width_character", 4, 16, "type '0'")]),
    ("curly quote", SHOP + "  cart:\n    version: “1.0.0”\n", [("full_width_character", 4, 14, "type '\"'")]),
    ("missing space after a colon", SHOP + "  cart:\n    replicas:4\n", [("wrong_type", 4, 5, "a space after ':'")]),
    ("missing space, then more", SHOP + "  cart:\n    replicas:4\n    version: 1.0.0\n",
     [("yaml_syntax", 5, 12, "in line 4")]),
    ("open quote", "application: 'shop\ncomponents: {}\n", [("yaml_syntax", 1, 14, "close it with '")]),
    ("open list", SHOP + "  cart:\n    depends_on: [aa, bb\n", [("yaml_syntax", 4, 17, "close it with ']'")]),
    ("crooked indentation", SHOP + "  cart:\n    replicas: 4\n   version: 1.0.0\n",
     [("yaml_syntax", 5, 4, "indentation")]),
    ("two colons", "application: shop: x\n", [("yaml_syntax", 1, 18, "quotes")]),
    ("at sign", "application: @shop\n", [("yaml_syntax", 1, 14, "quotes")]),
    ("weight and rules", SHOP + GRAY + "    gray:\n      version: 1.1.0\n      weight: 5\n      rules:\n"
     "        - {type: header, key: k, condition: in, value: v}\n", [("weight_and_rules", 8, 7, "keep one")]),
    ("neither weight nor rules", SHOP + GRAY + "    gray: {version: 1.1.0}\n",
     [("gray_without_rule", 5, 11, "add weight")]),
    ("empty rules", SHOP + GRAY + "    gray: {version: 1.1.0, rules: []}\n", [("empty_list", 5, 35, "add an entry")]),
    ("match beside weight", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, match: any}\n",
     [("match_without_rules", 5, 39, "remove match")]),
    ("rule twice", SHOP + GRAY + "    gray:\n      version: 1.1.0\n      rules:\n"
     + "        - {type: header, key: k, condition: in, value: v}\n" * 2, [("duplicate_item", 9, 11, "remove one")]),
    ("rule without value", SHOP + GRAY + "    gray: {version: 1.1.0, rules: [{type: header, key: k, condition: in}]}\n",
     [("missing_key", 5, 36, "add `value:`")]),
    ("rule of another type", SHOP + GRAY
     + "    gray: {version: 1.1.0, rules: [{type: cookie, key: k, condition: in, value: v}]}\n",
     [("unknown_value", 5, 43, "write header")]),
    ("weight 0", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 0}\n", [("out_of_range", 5, 36, "from 1 to 100")]),
    ("weight 101", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 101}\n",
     [("out_of_range", 5, 36, "from 1 to 100")]),
    ("gray without candidate", SHOP + GRAY + "    gray: {weight: 5}\n", [("missing_key", 5, 11, "add `version:`")]),
    ("gray without version", SHOP + "  cart:\n    gray: {version: 1.1.0, weight: 5}\n",
     [("gray_without_version", 4, 5, "stable version")]),
    ("gray and stopped", SHOP + GRAY + "    state: stopped\n    gray: {version: 1.1.0, weight: 5}\n",
     [("gray_with_stopped", 6, 5, "remove gray")]),
    ("gray and stopped by default", "application: shop\ndefaults: {state: stopped}\ncomponents:\n" + GRAY
     + "    gray: {version: 1.1.0, weight: 5}\n", [("gray_with_stopped", 6, 5, "remove gray")]),
    ("candidate is the version", SHOP + GRAY + "    gray: {version: 1.0.0, weight: 5}\n",
     [("gray_candidate_equals_version", 5, 21, "another candidate")]),
    ("gray with one instance", SHOP + GRAY + "    replicas: 1\n    gray: {version: 1.1.0, weight: 5}\n",
     [("gray_needs_two_replicas", 5, 15, "at least 2")]),
    ("gray with one instance by default", "application: shop\ndefaults: {replicas: 1}\ncomponents:\n" + GRAY
     + "    gray: {version: 1.1.0, weight: 5}\n", [("gray_needs_two_replicas", 2, 22, "at least 2")]),
    ("gray with a floor of one instance", SHOP + GRAY + "    replicas: {min: 1, max: 5}\n"
     "    gray: {version: 1.1.0, weight: 5}\n", [("gray_needs_two_replicas", 5, 21, "raise replicas.min")]),
    ("image and package", SHOP + GRAY + "    package: p\n    image: i\n", [("image_and_package", 6, 5, "keep one")]),
    ("image and package of the candidate",
     SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, image: i, package: p}\n",
     [("image_and_package", 5, 49, "keep one")]),
    ("image without version", SHOP + "  cart:\n    image: i\n", [("field_without_version", 4, 5, "add `version:`")]),
    ("everything else without version", SHOP + "  cart:\n    package: p\n    env: {A: x}\n    resources: {}\n"
     "    release: {strategy: rolling}\n",
     [("field_without_version", line, 5, "add `version:`") for line in range(4, 8)]),
    ("image of the candidate without its version", SHOP + GRAY + "    gray: {image: i, weight: 5}\n",
     [("missing_key", 5, 11, "add `version:`")]),
    ("empty image", SHOP + GRAY + "    image: ''\n", [("bad_artifact", 5, 12, "tag or file name")]),
    ("image with a space", SHOP + GRAY + "    image: a b\n", [("bad_artifact", 5, 12, "tag or file name")]),
    ("package with a wide space", SHOP + GRAY + "    package: 'a\u3000b'\n", [("bad_artifact", 5, 14, "file name")]),
    ("image with a control character", SHOP + GRAY + '    image: "a\\x7f"\n',
     [("control_character", 5, 12, "reviewers")]),
    ("image too long", SHOP + GRAY + f"    image: {'x' * 2049}\n", [("bad_artifact", 5, 12, "tag or file name")]),
    ("image as a number", SHOP + GRAY + "    image: 7\n", [("unquoted_text", 5, 12, "quotes")]),
    ("variable as a number", SHOP + GRAY + "    env: {A: 8080}\n", [("unquoted_text", 5, 14, "put it in quotes")]),
    ("variable as a boolean", SHOP + GRAY + "    env: {A: true}\n", [("unquoted_text", 5, 14, "put it in quotes")]),
    ("variable without value", SHOP + GRAY + "    env: {A: }\n", [("null_value", 5, 14, '"" where it is empty')]),
    ("variable as a list", SHOP + GRAY + "    env: {A: [x]}\n", [("wrong_type", 5, 14, "in quotes")]),
    ("variables as in Kubernetes", SHOP + GRAY + "    env: [{name: A, value: x}]\n",
     [("wrong_type", 5, 10, "`NAME: value`")]),
    ("variables that begin wrongly", SHOP + GRAY + "    env: {1A: x, ..A: x, 'A B': x, A=B: x, .: x}\n",
     [("bad_name", 5, column, "Kubernetes") for column in (11, 18, 26, 36, 44)]),
    ("cores in words", SHOP + GRAY + "    resources: {limits: {cpu: two}}\n",
     [("bad_quantity", 5, 31, "such as 250m")]),
    ("cores as a boolean", SHOP + GRAY + "    resources: {limits: {cpu: true}}\n",
     [("wrong_type", 5, 31, "such as 0.5")]),
    ("no cores", SHOP + GRAY + "    resources: {limits: {cpu: 0}}\n", [("out_of_range", 5, 31, "from 0.001 to 4096")]),
    ("no cores in text", SHOP + GRAY + "    resources: {limits: {cpu: 0m}}\n",
     [("out_of_range", 5, 31, "from 0.001 to 4096 cores")]),
    ("negative cores", SHOP + GRAY + "    resources: {limits: {cpu: -1}}\n", [("out_of_range", 5, 31, "from 0.001")]),
    ("infinite cores", SHOP + GRAY + "    resources: {limits: {cpu: 1e999}}\n",
     [("out_of_range", 5, 31, "from 0.001")]),
    ("bytes for GiB", SHOP + GRAY + "    resources: {limits: {memory: 536870912}}\n",
     [("out_of_range", 5, 34, "such as 512Mi")]),
    ("bytes in quotes", SHOP + GRAY + "    resources: {limits: {memory: '536870912'}}\n",
     [("bad_quantity", 5, 34, "without quotes is GiB")]),
    ("thousandths of a byte", SHOP + GRAY + "    resources: {limits: {memory: 128m}}\n",
     [("bad_quantity", 5, 34, "write the unit")]),
    ("too few bytes", SHOP + GRAY + "    resources: {limits: {memory: 512k}}\n",
     [("out_of_range", 5, 34, "from 0.001 to 65536 GiB")]),
    ("amount of many digits", SHOP + GRAY + f"    resources: {{limits: {{memory: {'9' * 5000}Mi}}}}\n",
     [("bad_quantity", 5, 34, "write the unit")]),
    ("another resource", SHOP + GRAY + "    resources: {limits: {disk: 1}}\n", [("unknown_key", 5, 26, "cpu, memory")]),
    ("resources without a side", SHOP + GRAY + "    resources: {cpu: 1}\n",
     [("unknown_key", 5, 17, "limits, requests")]),
    ("request above limit", SHOP + GRAY + "    resources:\n      limits: {cpu: 1, memory: 1G}\n"
     "      requests: {cpu: 1001m, memory: 1Gi}\n",
     [("request_above_limit", 7, 23, "raise the limit"), ("request_above_limit", 7, 38, "raise the limit")]),
    ("release without strategy", SHOP + GRAY + "    release: {batches: 2}\n", [("missing_key", 5, 14, "`strategy:`")]),
    ("misspelt strategy", SHOP + GRAY + "    release: {strategy: one-batch}\n",
     [("unknown_value", 5, 25, "did you mean 'one_batch'?")]),
    ("batches of one batch", SHOP + GRAY + "    release: {strategy: one_batch, batches: 1}\n",
     [("batches_without_rolling", 5, 36, "strategy: rolling")]),
    ("no batches", SHOP + GRAY + "    release: {strategy: rolling, batches: 0}\n",
     [("out_of_range", 5, 43, "at least 1")]),
    ("batches of a mirror", SHOP + GRAY + "    gray:\n      version: 1.1.0\n      weight: 5\n      mode: mirror\n"
     "      first_batch_replicas: 1\n      remaining_batches: 2\n",
     [("batches_of_mirror", 9, 7, "extra or nosurge"), ("batches_of_mirror", 10, 7, "extra or nosurge")]),
    ("misspelt mode", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, mode: no_surge}\n",
     [("unknown_value", 5, 45, "did you mean 'nosurge'?")]),
    ("misspelt channel", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, channel: elb_shared}\n",
     [("unknown_value", 5, 48, "did you mean 'elb-shared'?")]),
    ("rules over an ELB", SHOP + GRAY + "    gray:\n      version: 1.1.0\n      channel: elb-dedicated\n      rules:\n"
     "        - {type: header, key: k, condition: in, value: v}\n", [("rules_over_elb", 8, 7, "weight")]),
    ("no first batch", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, first_batch_replicas: 0}\n",
     [("out_of_range", 5, 61, "at least 1")]),
    ("no remaining batches", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, remaining_batches: 0}\n",
     [("out_of_range", 5, 58, "at least 1")]),
    ("first batch of all instances", SHOP + GRAY + "    replicas: 3\n"
     "    gray: {version: 1.1.0, weight: 5, first_batch_replicas: 3}\n", [("first_batch_too_large", 6, 61, "smaller")]),
    ("first batch where there are too few instances", SHOP + GRAY + "    replicas: 1\n"
     "    gray: {version: 1.1.0, weight: 5, first_batch_replicas: 1}\n",
     [("gray_needs_two_replicas", 5, 15, "at least 2")]),
    ("word of YAML 1.1 for a precheck", SHOP + GRAY + "    gray: {version: 1.1.0, weight: 5, precheck: yes}\n",
     [("wrong_type", 5, 49, "true or false")]),
    ("unknown dependency", SHOP + "  cart: {depends_on: [crat]}\n  crate: {}\n",
     [("unknown_dependency", 3, 23, "near names: crate")]),
    ("dependency of a wrong shape", SHOP + "  cart: {depends_on: [a/b/c]}\n",
     [("bad_dependency", 3, 23, "application/component")]),
    ("dependency twice", SHOP + "  aa: {}\n  cart: {depends_on: [aa, aa]}\n",
     [("duplicate_item", 4, 27, "remove one")]),
    ("depends on itself", SHOP + "  cart: {depends_on: [cart]}\n", [("dependency_cycle", 3, 23, "remove one")]),
    ("unknown field to ignore", SHOP + "  cart: {lifecycle: {ignore: [replica]}}\n",
     [("unknown_value", 3, 31, "did you mean 'replicas'?")]),
    ("unknown word for drift", SHOP + "  cart: {lifecycle: {drift: {gray: fix}}}\n",
     [("unknown_value", 3, 36, "report or correct")]),
    ("drift of a field without policy", SHOP + "  cart: {lifecycle: {drift: {restart: correct}}}\n",
     [("unknown_key", 3, 30, "gray, replicas, state, version")]),
    ("time limit 0", SHOP + "  cart: {ready: {timeout_s: 0}}\n", [("out_of_range", 3, 29, "from 1 to 86400")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_bad_input_is_named_with_place_and_hint(
    project: Project, text: str, expected: list[tuple[str, int, int, str]]
) -> None:
    """Exactly these diagnostics, at exactly these places, and none that only follows from another."""
    project.write(text)
    found = project.refuse()
    places = [(d.code, d.mark.line, d.mark.column) for d in found if d.mark]
    assert places == [row[:3] for row in expected]
    assert [d.mark.file for d in found if d.mark] == ["manifests/shop.yaml"] * len(expected)
    for diagnostic, row in zip(found, expected, strict=True):
        assert row[3] in (diagnostic.hint or "")


@pytest.mark.parametrize(
    "key",
    ["extends", "deploy", "enforce_max", "precheck", "limits", "command"],
)
def test_fields_of_later_versions_are_unknown_keys(project: Project, key: str) -> None:
    """What is not implemented is refused, and no far-fetched correction is offered."""
    project.write(SHOP + f"  cart: {{{key}: x}}\n")
    (found,) = project.refuse()
    assert found.code == "unknown_key"
    assert "did you mean" not in (found.hint or "")


@pytest.mark.parametrize("key", ["env", "resources", "release", "replicas", "fail_strategy", "deployment_mode"])
def test_what_gray_does_not_have_is_an_unknown_key(project: Project, key: str) -> None:
    """The same inside gray."""
    project.write(SHOP + GRAY + f"    gray: {{version: 1.1.0, weight: 5, {key}: x}}\n")
    (found,) = project.refuse()
    assert found.code == "unknown_key"
    assert "did you mean" not in (found.hint or "")


def test_all_errors_of_all_files_come_at_once_in_file_order(project: Project) -> None:
    """One run shows everything: unreadable files, structure, rules between keys and between components."""
    project.write("application: shop\ncomponents:\n  cart:\n    replica: 4\n    depends_on: [nobody]\n", "b.yaml")
    project.write("application: pay\ncomponents:\n  till: {version: 1.10, gray: {version: 1.0.0}}\n", "a/deep.yml")
    project.write("application: 'open\n", "c.yaml")
    project.write("application: shop\ncomponents:\n  cart: {}\n", "d.yaml")
    found = [(str(d.mark), d.code) for d in project.refuse()]
    assert found == [
        ("manifests/a/deep.yml:3:19", "unquoted_text"),
        ("manifests/a/deep.yml:3:31", "gray_without_rule"),
        ("manifests/b.yaml:4:5", "unknown_key"),
        ("manifests/b.yaml:5:18", "unknown_dependency"),
        ("manifests/c.yaml:1:14", "yaml_syntax"),
        ("manifests/d.yaml:3:3", "duplicate_component"),
    ]


def test_a_repeated_component_names_the_first_place_and_the_address(project: Project) -> None:
    """Across files; the address lets a machine group diagnostics by component."""
    project.write("application: shop\nenvironment: prod\ncomponents: {cart: {}}\n", "a.yaml")
    project.write("application: shop\nenvironment: prod\ncomponents: {cart: {}}\n", "b.yaml")
    (found,) = project.refuse()
    assert found.code == "duplicate_component"
    assert found.address == "shop/cart@prod"
    assert "manifests/a.yaml:3:14" in found.message


def test_a_repeated_key_names_both_places(project: Project) -> None:
    """The second is the mark, the first stands in the message."""
    project.write(SHOP + "  cart: {}\n  cart: {}\n")
    (found,) = project.refuse()
    assert (found.code, str(found.mark)) == ("duplicate_key", "manifests/shop.yaml:4:3")
    assert "manifests/shop.yaml:3:3" in found.message


def test_one_name_in_two_environments_is_two_components(project: Project) -> None:
    """Several documents in one file; empty ones do not count."""
    project.write(
        textwrap.dedent("""\
            # nothing yet
            ---
            application: shop
            environment: prod
            components: {cart: {replicas: 4}}
            ---
            application: shop
            environment: test
            components: {cart: {replicas: 1}}
            ---
        """)
    )
    loaded = project.load()
    assert [(str(d.address), d.wish.replicas) for d in loaded.components] == [
        ("shop/cart@prod", 4),
        ("shop/cart@test", 1),
    ]
    assert str(loaded.components[1].origin) == "manifests/shop.yaml:9:14"


def test_components_are_sorted_whatever_the_files_are_called(project: Project) -> None:
    """Same input, same plan: the order of files must not matter."""
    project.write("application: zoo\ncomponents: {bear: {}, ant: {}}\n", "1.yaml")
    project.write("application: shop\ncomponents: {pay: {}}\n", "2.yaml")
    loaded = project.load()
    assert [d.address for d in loaded.components] == [
        Address("shop", "pay"),
        Address("zoo", "ant"),
        Address("zoo", "bear"),
    ]
    assert loaded.files == ("manifests/1.yaml", "manifests/2.yaml")


@pytest.mark.parametrize(
    "text", ["", "---\n", "# only words\n", "application: shop\n", "application: shop\ncomponents: {}\n"]
)
def test_an_empty_project_is_refused_unless_allowed(project: Project, text: str) -> None:
    """Else a lost folder would forget everything."""
    project.write(text)
    (found,) = project.refuse()
    assert found.code == "empty_manifests"
    assert "--allow-empty" in (found.hint or "")
    assert project.load(allow_empty=True).components == ()


def test_a_folder_without_manifests_is_an_empty_project(project: Project) -> None:
    """The folder must exist, for a misspelt path is no empty project."""
    (project.root / "manifests").mkdir()
    assert [d.code for d in project.refuse()] == ["empty_manifests"]
    assert project.load(allow_empty=True).files == ()


def test_windows_line_ends_and_byte_order_mark_change_nothing(project: Project) -> None:
    """Editors of Windows write both."""
    text = SHOP + "  cart:\n    replicas: 4\n"
    project.write(text)
    plain = project.load()
    project.write(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert project.load() == plain


def test_an_error_behind_a_byte_order_mark_keeps_its_column(project: Project) -> None:
    """The mark is no character of the first line."""
    project.write(b"\xef\xbb\xbfaplication: shop\r\n")
    assert {str(d.mark) for d in project.refuse()} == {"manifests/shop.yaml:1:1"}


def test_an_error_repeated_by_aliases_is_said_once(project: Project) -> None:
    """The wrong value stands in one place only."""
    project.write("application: shop\ncomponents:\n  aa: &x {labels: {a: 1}}\n  bb: *x\n")
    assert [d.code for d in project.refuse()] == ["unquoted_text"]
    assert {str(d.mark) for d in project.refuse()} == {"manifests/shop.yaml:3:23"}


def test_an_unreadable_file_does_not_make_names_unknown(project: Project) -> None:
    """`pay/till` may be in the file that could not be read, a name of the same document may not."""
    project.write("application: 'pay\n", "pay.yaml")
    project.write("application: shop\ncomponents: {cart: {depends_on: [pay/till, tlil]}}\n")
    assert [d.code for d in project.refuse()] == ["yaml_syntax", "unknown_dependency"]
