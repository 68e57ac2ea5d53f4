"""Network and mount namespaces of a test's own: what is done to them is done to nobody else, and ends with the test."""

import os
import subprocess
import sys


def enter(*kinds):
    """Starts this program again in new namespaces ("net", "mount"), in which it is root, and with its loopback interface
    up. Where the system does not allow that the test is skipped (status 77)."""
    if os.environ.get("XBUILD_TEST_NAMESPACES"):
        if "net" in kinds:
            run("ip", "link", "set", "lo", "up")
        return
    flags = [f"--{kind}" for kind in kinds] + (["--map-root-user"] if os.geteuid() else [])
    if not allowed(flags) and "mount" in kinds and not mounts_are_shared():
        # In a chroot whose root is no mount point nothing can be made private, and here nothing need be.
        flags += ["--propagation", "unchanged"]
    if not allowed(flags):
        print("this system allows no namespaces")
        sys.exit(77)
    environment = dict(os.environ, XBUILD_TEST_NAMESPACES="1")
    os.execvpe("unshare", ["unshare", *flags, sys.executable, "-B", *sys.argv], environment)


def allowed(flags):
    return subprocess.run(["unshare", *flags, "true"], check=False, stderr=subprocess.DEVNULL).returncode == 0


def mounts_are_shared():
    """Whether a mount made here could appear elsewhere."""
    with open("/proc/self/mountinfo") as mounts:
        return any(" shared:" in line for line in mounts)


def run(*command):
    subprocess.run(command, check=True)


class Host:
    """Another host on a cable of its own (a veth pair): this side has 192.0.2.1/24, that one 192.0.2.2/24."""

    def __init__(self):
        self.process = subprocess.Popen(["unshare", "--net", "sleep", "600"])
        self.wrapper = ["nsenter", "--net", "-t", str(self.process.pid)]
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.process.pid}/ns/net") == own:
            assert self.process.poll() is None
        run("ip", "link", "add", "cable0", "type", "veth", "peer", "name", "cable1", "netns", str(self.process.pid))
        run("ip", "address", "add", "192.0.2.1/24", "dev", "cable0")
        run("ip", "link", "set", "cable0", "up")
        for command in (["link", "set", "lo", "up"], ["address", "add", "192.0.2.2/24", "dev", "cable1"],
                        ["link", "set", "cable1", "up"]):
            run(*self.wrapper, "ip", *command)

    def pull_the_cable(self):
        # The far end: so no socket on this side hears of it.
        run(*self.wrapper, "ip", "link", "set", "cable1", "down")

    def plug_it_in(self):
        run(*self.wrapper, "ip", "link", "set", "cable1", "up")

    def close(self):
        # What runs there may outlive it, and with it the namespace and the cable.
        subprocess.run(["ip", "link", "delete", "cable0"], check=False)
        self.process.kill()
        self.process.wait()
