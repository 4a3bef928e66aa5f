"""statetool: declarative desired state for components that run on Huawei Cloud ServiceStage.

Read `workflow.py` first: it tells the whole story from manifest to state. This file owns the version
number only and must import nothing, so that `statetool version` stays fast.
"""

__version__ = "0.1.0"
