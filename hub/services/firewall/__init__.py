"""Rules of the host's firewall around the bridge that students' servers are on."""
