import pytest

from tests.exchange import kill_test


@pytest.mark.slow
def test_kill_9_inside_requests_loses_no_acknowledged_submission(tmp_path):
    tally = kill_test.run(tmp_path, submissions=30, kills=10, largest=2_000_000)
    assert not tally.faults, "\n".join(tally.lines())
    assert tally.submissions >= 30 and sum(tally.kills.values()) >= 10
    log = (tmp_path / "service.log").read_text()
    assert "Traceback" not in log
