// An MLflow tracking server in memory, as far as the tracker uses its REST API, with the API's limits and its habit of
// keeping every metric that it is given, twice if it is given twice.

export interface MlflowServer {
  readonly fetch: typeof fetch;
  readonly runs: ReadonlyMap<string, MlflowRun>;
}

export interface MlflowRun {
  status: string;
  readonly name: string;
  readonly experiment: string;
  readonly metrics: { readonly key: string; readonly value: number | string; readonly step: number }[];
  readonly params: Map<string, string>;
}

interface Body {
  readonly name?: string;
  readonly experiment_id?: string;
  readonly run_name?: string;
  readonly run_id?: string;
  readonly status?: string;
  readonly metrics?: MlflowRun["metrics"];
  readonly params?: readonly { readonly key: string; readonly value: string }[];
}

export function mlflowServer(): MlflowServer {
  const experiments = new Map<string, string>();
  const runs = new Map<string, MlflowRun>();
  const runOf = (id: string | null | undefined): MlflowRun => {
    const run = runs.get(id ?? "");
    if (run === undefined) throw new Error("RESOURCE_DOES_NOT_EXIST");
    return run;
  };
  const actions: Record<string, (body: Body, query: URLSearchParams) => unknown> = {
    "experiments/get-by-name": (_, query) => {
      const id = experiments.get(query.get("experiment_name") ?? "");
      if (id === undefined) throw new Error("RESOURCE_DOES_NOT_EXIST");
      return { experiment: { experiment_id: id } };
    },
    "experiments/create": ({ name }) => {
      experiments.set(name!, String(experiments.size + 1));
      return { experiment_id: experiments.get(name!) };
    },
    "runs/create": ({ run_name: name, experiment_id: experiment }) => {
      const id = `run${runs.size}`;
      runs.set(id, {
        status: "RUNNING",
        name: name!,
        experiment: experiment!,
        metrics: [],
        params: new Map(),
      });
      return { run: { info: { run_id: id } } };
    },
    "runs/get": (_, query) => {
      const { metrics, experiment } = runOf(query.get("run_id"));
      const latest = new Map(metrics.map((metric) => [metric.key, metric]));
      return { run: { info: { experiment_id: experiment }, data: { metrics: [...latest.values()] } } };
    },
    "runs/log-batch": ({ run_id: id, metrics = [], params = [] }) => {
      if (metrics.length > 1000 || params.length > 100) throw new Error("INVALID_PARAMETER_VALUE: too many");
      runOf(id).metrics.push(...metrics);
      for (const { key, value } of params) runOf(id).params.set(key, value);
      return {};
    },
    "runs/update": ({ run_id: id, status }) => {
      runOf(id).status = status!;
      return {};
    },
  };
  const answer = (input: unknown, init?: { readonly body?: unknown }): Response => {
    const url = new URL(String(input));
    const action = actions[url.pathname.replace("/api/2.0/mlflow/", "")];
    if (action === undefined) return new Response("no such endpoint", { status: 405 });
    try {
      const body = init?.body === undefined ? {} : (JSON.parse(String(init.body)) as Body);
      return Response.json(action(body, url.searchParams));
    } catch (error) {
      const text = String(error);
      return new Response(text, { status: text.includes("DOES_NOT_EXIST") ? 404 : 400 });
    }
  };
  return { fetch: ((input, init) => Promise.resolve(answer(input, init as never))) as typeof fetch, runs };
}
