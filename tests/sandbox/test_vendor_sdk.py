"""The vendor's own SDK, unmodified but for its endpoint, drives the served sandbox with its own signing."""

import subprocess
import sys

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkservicestage.v3 import ServiceStageClient, ShowComponentsRequest

from statetool.sandbox import ControlClient

# The SDK's own use of what Python deprecates is not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PROJECT_ID = "0123456789abcdef0123456789abcdef"
SEED = """
sandbox: {stale_ms: 0}
applications:
  shop:
    environment: prod
    components:
      cart: {version: 1.4.2, replicas: 4, history: [1.4.1]}
      search: {version: 2.1.0, replicas: 5, gray: {version: 2.2.0, weight: 10}}
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """A served sandbox whose jobs end at once."""
    data = tmp_path_factory.mktemp("vendor") / "world.db"
    command = [sys.executable, "-m", "statetool.sandbox", "--data", str(data), "--job-seconds", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()
        assert "serving" in line, line
        yield line.rpartition(" ")[2].strip()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.fixture
def control(endpoint):
    """Seeds the served world, freshly for every test."""
    control = ControlClient(endpoint)
    control.seed(SEED, "seed.yaml")
    return control


def connect(endpoint, credentials=None):
    """A client of the vendor's."""
    credentials = credentials or BasicCredentials("sandbox-ak", "sandbox-sk", PROJECT_ID)
    return ServiceStageClient.new_builder().with_credentials(credentials).with_endpoint(endpoint).build()


@pytest.fixture
def client(endpoint, control):
    """A client with the well-known key pair."""
    return connect(endpoint)


def test_its_signatures_are_accepted(client):
    """With paging and filters in the query."""
    answer = client.show_components(ShowComponentsRequest(limit=1, order_by="name", component_name="cart"))
    assert (answer.count, answer.components[0].name) == (1, "cart")


def test_temporary_credentials(endpoint, control):
    """Key pair and security token; without the token they are refused."""
    credentials = BasicCredentials("sandbox-temporary-ak", "sandbox-temporary-sk", PROJECT_ID)
    with pytest.raises(ClientRequestException) as caught:
        connect(endpoint, credentials).show_components(ShowComponentsRequest())
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    credentials.with_security_token("sandbox-security-token")
    assert connect(endpoint, credentials).show_components(ShowComponentsRequest()).count == 2


def test_a_wrong_key(endpoint, control):
    """The SDK's own exception, with code, message and request id."""
    client = connect(endpoint, BasicCredentials("sandbox-ak", "other", PROJECT_ID))
    with pytest.raises(ClientRequestException) as caught:
        client.show_components(ShowComponentsRequest())
    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    assert caught.value.request_id and "signature" in caught.value.error_msg


def test_it_looks_its_project_up(endpoint, control):
    """Without a project id the SDK asks IAM for the project of its region."""
    credentials = BasicCredentials("sandbox-ak", "sandbox-sk").with_iam_endpoint(endpoint)
    builder = ServiceStageClient.new_builder().with_credentials(credentials)
    client = builder.with_region(Region("cn-north-4", endpoint)).build()
    assert client.show_components(ShowComponentsRequest()).count == 2
    assert credentials.project_id == PROJECT_ID
