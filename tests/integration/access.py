"""Who may read and act on a real coordinator: tokens, a browser's cookie, and this machine's users."""

import hashlib
import http.client
import os
import pathlib
import signal
import stat
import tempfile
import unittest

from farm import Farm, commit, make_repository, programs, wait_for

BUILDERS = [{"name": "one", "host_type": "host-a"}]


def token_toml(read, *tokens, local=False):
    lines = ["[access]", f'read = "{read}"', f"local = {str(local).lower()}"]
    for name, role, token in tokens:
        digest = hashlib.sha256(token.encode()).hexdigest()
        lines += ["[[access.token]]", f'name = "{name}"', f'role = "{role}"', f'sha256 = "{digest}"']
    return "\n".join(lines) + "\n"


class Access(unittest.TestCase):
    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="xbuild-test.")
        self.addCleanup(self.temporary.cleanup)
        self.directory = pathlib.Path(self.temporary.name)
        self.repository = make_repository(self.directory / "repository")
        commit(self.repository, {"a": "1"}, "one")

    def farm(self, toml=""):
        repository = {"name": "demo", "url": str(self.repository), "steps": [["true", "true"]]}
        return Farm(programs(), self.directory / "farm", [repository], BUILDERS, toml=toml)

    def ask(self, farm, path, method="GET", body=None, **fields):
        """Status, fields and body; nothing is followed."""
        connection = http.client.HTTPConnection(farm.ready["http"], timeout=20)
        self.addCleanup(connection.close)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def test_with_tokens_everything_is_closed_but_workers_and_the_health_check(self):
        toml = token_toml("token", ("rita", "read", "reading-token"), ("alma", "act", "acting-token"))
        with self.farm(toml) as farm:
            for path in ("/", "/build/1", "/api/v1/builds", "/api/v1/builds/1/events", "/nothing"):
                self.assertEqual(self.ask(farm, path)[0], 401, path)
            self.assertEqual(self.ask(farm, "/", Authorization="Bearer wrong")[0], 401)
            self.assertEqual(self.ask(farm, "/healthz")[0], 200)
            farm.start_worker("host-a")
            admin_file = pathlib.Path(farm.ready["admin_token_file"])
            self.assertEqual(stat.S_IMODE(admin_file.stat().st_mode), 0o600)
            admin = admin_file.read_text().strip()

            bearer = {"Authorization": f"Bearer {admin}"}
            wait_for(lambda: "worker-1" in self.ask(farm, "/api/v1/workers", **bearer)[2], 30, "the worker to join")
            self.assertEqual(self.ask(farm, "/", Authorization="Bearer reading-token")[0], 200)
            log = farm.log_text()
            for secret in (admin, "reading-token", "acting-token"):
                self.assertNotIn(secret, log)

    def test_a_browser_signs_in_reads_and_stays_signed_in_over_a_restart(self):
        with self.farm(token_toml("token", ("rita", "read", "reading-token"))) as farm:
            status, fields, _ = self.ask(farm, "/build/1", Accept="text/html")
            self.assertEqual((status, fields["Location"]), (303, "/login?next=%2Fbuild%2F1"))
            status, fields, _ = self.ask(farm, "/login", "POST", "token=reading-token&next=/build/1",
                                         Content_Type="application/x-www-form-urlencoded")
            self.assertEqual((status, fields["Location"]), (303, "/build/1"))
            cookie = fields["Set-Cookie"].split(";")[0]
            self.assertEqual(self.ask(farm, "/", Cookie=cookie)[0], 200)
            self.assertEqual(self.ask(farm, "/api/v1/status", Authorization="Bearer reading-token")[0], 200)
            farm.stop_coordinator()
            farm.start_coordinator()
            self.assertEqual(self.ask(farm, "/", Cookie=cookie)[0], 200)
            self.assertEqual(self.ask(farm, "/", Cookie=cookie[:-1])[0], 401)

    def test_a_token_that_is_taken_out_of_the_file_opens_nothing_after_a_reload(self):
        before = token_toml("token", ("rita", "read", "reading-token"))
        after = token_toml("token", ("alma", "read", "other-token"))
        with self.farm(before) as farm:
            _, fields, _ = self.ask(farm, "/login", "POST", "token=reading-token",
                                    Content_Type="application/x-www-form-urlencoded")
            cookie = fields["Set-Cookie"].split(";")[0]
            self.assertEqual(self.ask(farm, "/", Cookie=cookie)[0], 200)
            # A file that is wrong changes nothing.
            text = farm.config.read_text()
            farm.config.write_text(text.replace('role = "read"', 'role = "reed"'))
            os.kill(farm.coordinator_pid(), signal.SIGHUP)
            wait_for(lambda: "reed" in farm.log_text(), 30, "the refusal")
            self.assertEqual(self.ask(farm, "/", Cookie=cookie)[0], 200)
            self.assertIn(before, text)
            farm.config.write_text(text.replace(before, after))
            os.kill(farm.coordinator_pid(), signal.SIGHUP)
            wait_for(lambda: self.ask(farm, "/", Authorization="Bearer other-token")[0] == 200, 30, "the new token")
            self.assertEqual(self.ask(farm, "/", Cookie=cookie)[0], 401)
            self.assertEqual(self.ask(farm, "/", Authorization="Bearer reading-token")[0], 401)

    def test_this_machines_users_may_act_only_if_the_file_says_so_and_only_by_its_own_name(self):
        own = {"Sec_Fetch_Site": "same-origin"}
        with self.farm(token_toml("all", local=True)) as farm:
            # There is no such build: who gets to hear that may act.
            path, method = "/api/v1/builds/999/cancel", "POST"
            self.assertEqual(self.ask(farm, path, method)[0], 404)
            self.assertEqual(self.ask(farm, path, method, **own)[0], 404)
            self.assertEqual(self.ask(farm, path, method, Sec_Fetch_Site="cross-site")[0], 403)
            self.assertEqual(self.ask(farm, path, method, Origin="http://evil.example")[0], 403)
            self.assertEqual(self.ask(farm, path, method, Host="evil.example", Origin="http://evil.example")[0], 401)
            self.assertEqual(self.ask(farm, path, method, X_Forwarded_For="192.0.2.1")[0], 401)

    def test_without_a_word_about_it_everybody_reads_and_nobody_acts(self):
        with self.farm() as farm:
            self.assertEqual(self.ask(farm, "/")[0], 200)
            self.assertEqual(self.ask(farm, "/api/v1/builds/1/cancel", "POST")[0], 401)
            policy = self.ask(farm, "/")[1]["Content-Security-Policy"]
            self.assertIn("frame-ancestors 'none'", policy)
            self.assertNotIn("unsafe", policy)


if __name__ == "__main__":
    unittest.main(verbosity=2)
