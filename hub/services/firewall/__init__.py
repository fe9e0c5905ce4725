"""Host firewall rules for the bridge of students' servers."""
