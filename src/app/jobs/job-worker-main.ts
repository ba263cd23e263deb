// The module of a worker for jobs that is nothing else: a root of the prepared program
// (scripts/prepare.ts).

import { serveJobs } from "./job-worker.ts";

serveJobs();
