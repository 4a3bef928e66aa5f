"""YAML files of people -> validated `Desired` values that keep file, line and column.

Data moves one way: files -> encoding -> yaml_reader -> bases (merging) -> substitution (variables) -> structure
(against the JSON Schema) -> components (marks) -> dependencies; `loader.load_manifests` tells that story. Nothing here
talks to the platform, reads state or knows what is planned. `yaml_reader` and `structure` also serve `config.py`.
"""
