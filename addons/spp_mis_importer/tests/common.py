"""A source MIS on the sandbox's real HTTP server, and imports from it, their jobs performed one after the other."""

import json
import tempfile
import urllib.request

from odoo.addons.queue_job.job import Job
from odoo.addons.spp_base.tests.common import LoopbackCalls

from sandbox import start


class MisMixin(LoopbackCalls):
    """For any test class with `env`. `self.source` reads the sandbox; nothing is imported yet."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.sandbox = cls.enterClassContext(start(directory))
        cls.endpoint = cls.env["spp.endpoint"].create(
            {
                "name": "Ministry of Health",
                "base_url": cls.sandbox.mis,
                "auth_type": "session",
                "database": "mis_src",
                "login": "mis_api",
                "secret": "mis_secret",
                "total_timeout": 10,
            }
        )
        cls.source = cls.new_source()

    @classmethod
    def new_source(cls, **values):
        return cls.env["spp.mis.source"].create(
            {"name": "Ministry of Health", "endpoint_id": cls.endpoint.id, "page_size": 100, **values}
        )

    # The sandbox

    @classmethod
    def control(cls, command, **body):
        request = urllib.request.Request(
            f"{cls.sandbox.mis}/_sandbox/{command}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    @classmethod
    def at_source(cls, model, number, values):
        """Change a record of the source; no number: a new one; values None: it is deleted."""
        return cls.control("set", model=model, id=number, values=values)

    # Imports

    @classmethod
    def jobs(cls):
        return cls.env["queue.job"].search(
            [("model_name", "=", "spp.mis.source"), ("state", "=", "pending")], order="id"
        )

    @classmethod
    def work(cls, steps=None):
        """Perform the waiting jobs, and those they enqueue; only `steps` of them if given. Returns how many."""
        done = 0
        while done != steps and (record := cls.jobs()[:1]):
            job = Job.load(cls.env, record.uuid)
            job.set_started()
            job.store()
            job.perform()
            cls.env.flush_all()
            job.set_done()
            job.store()
            done += 1
        return done

    @classmethod
    def do_import(cls, source=None, is_full=True):
        """Import everything, or what changed; returns the run."""
        source = source or cls.source
        run = cls.env["spp.run"].browse(source.action_import_all() if is_full else source.action_import())
        cls.work()
        cls.env.invalidate_all()
        return run

    @classmethod
    def registrant(cls, kind, number, source=None):
        known = cls.env["spp.registrant.source"].search(
            [("source", "=", (source or cls.source)._code()), ("external_id", "=", f"{kind}:{number}")]
        )
        return known.partner_id

    @classmethod
    def held(cls, external_id, source=None):
        return cls.env["spp.mis.held"].search(
            [("source_id", "=", (source or cls.source).id), ("external_id", "=", external_id)]
        )
