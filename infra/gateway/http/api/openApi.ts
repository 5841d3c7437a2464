/** The API's description, rendered from its table: OpenAPI 3.1 and a page that people read. Pure. */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import type { Route } from './route.ts';
import { problemSchema } from './schemas.ts';

/** An OpenAPI document, as far as it is written here. */
export type OpenApiDocument = {
  readonly openapi: '3.1.1';
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, OpenApiOperation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, unknown>>;
    readonly securitySchemes: Readonly<Record<string, unknown>>;
  };
};

/** One operation of it. */
export type OpenApiOperation = {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description: string;
  readonly parameters?: readonly { readonly name: string }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<
    Record<
      string,
      {
        readonly description: string;
        readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>;
      }
    >
  >;
  readonly security: readonly unknown[];
};

const SCHEMAS = '#/components/schemas/';
const WHO = {
  anyone: 'For anyone.',
  reader: 'For anyone while admission is none, else for operators.',
  operator: 'For operators.',
} as const;

/** Renders the document. @param version of the gateway */
export function openApi(routes: readonly Route[], version: string): OpenApiDocument {
  const schemas: Record<string, unknown> = {};
  const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): unknown =>
    jsonSchema(schema, io, schemas);
  const paths: Record<string, Record<string, OpenApiOperation>> = {};
  for (const route of routes) {
    (paths[route.path] ??= {})[route.method] = operation(route, schemaOf);
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Grandstand',
      version,
      description:
        'Broadcasts, streamers, players, seats and tokens of a gateway. An operator shows a token of ' +
        'the role operator or the internal token, or calls from the machine itself. Errors are problem details (RFC 9457).',
    },
    paths,
    components: {
      schemas,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer' },
        cookie: { type: 'apiKey', in: 'cookie', name: 'grandstand_token' },
      },
    },
  };
}

function operation(
  route: Route,
  schemaOf: (schema: z.ZodType, io: 'input' | 'output') => unknown,
): OpenApiOperation {
  const names = [...route.path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
  const json = (schema: z.ZodType, io: 'input' | 'output', type = 'application/json'): object => ({
    [type]: { schema: schemaOf(schema, io) },
  });
  const problem = (status: number): [string, { description: string; content: object }] => [
    String(status),
    {
      description: STATUS_CODES[status] ?? 'Error',
      content: json(problemSchema, 'output', 'application/problem+json'),
    },
  ];
  const answers = Object.entries(route.answers).map(
    ([status, { description, schema, type }]): [string, { description: string }] => {
      const content =
        schema === undefined
          ? type && { [type]: { schema: { type: 'string' } } }
          : json(schema, 'output');
      return [
        status,
        content === undefined || content === '' ? { description } : { description, ...{ content } },
      ];
    },
  );
  const problems = [...new Set([...guardProblems(route), ...(route.problems ?? [])])].sort();
  return {
    operationId: `${route.method}${route.path.replaceAll(/[^A-Za-z0-9]+/g, '_').replace(/_$/, '')}`,
    tags: [route.tag],
    summary: route.summary,
    description: WHO[route.access],
    ...(names.length === 0
      ? {}
      : {
          parameters: names.map((name) => ({
            ...{ name, in: 'path', required: true, schema: { type: 'string' } },
          })),
        }),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(route.body, 'input') } }),
    responses: Object.fromEntries([...answers, ...problems.map(problem)]),
    security: route.access === 'anyone' ? [] : [{ bearer: [] }, { cookie: [] }],
  };
}

/** What guards and body parsers answer. */
function guardProblems({ access, body }: Route): number[] {
  return [
    ...(access === 'anyone' ? [] : [401, 403]),
    ...(body === undefined ? [] : [400, 413, 415, 422]),
  ];
}

/** JSON Schema of a zod schema; what it names goes into the components. */
function jsonSchema(
  schema: z.ZodType,
  io: 'input' | 'output',
  components: Record<string, unknown>,
): unknown {
  const {
    $defs = {},
    id,
    ...rest
  } = z.toJSONSchema(schema, { io, target: 'draft-2020-12', unrepresentable: 'any' });
  // The dialect is OpenAPI's own (3.1 §4.8.24).
  Reflect.deleteProperty(rest, '$schema');
  const place = (value: unknown): unknown =>
    JSON.parse(
      JSON.stringify(value).replaceAll('"$ref":"#/$defs/', `"$ref":"${SCHEMAS}`),
    ) as unknown;
  for (const [name, definition] of Object.entries($defs)) {
    components[name] = place(definition);
  }
  if (typeof id !== 'string') {
    return place(rest);
  }
  components[id] = place(rest);
  return { $ref: SCHEMAS + id };
}

const STYLE = `
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c1e26; background: #fff }
h1 { font-weight: 600; margin-bottom: .5rem } h2 { margin: 2.5rem 0 .5rem; text-transform: capitalize }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0; text-transform: capitalize }
section { border-top: 1px solid #d8dae2; padding: .75rem 0 } h3 { font: 600 1rem ui-monospace, monospace; margin: 0; overflow-wrap: anywhere }
b { display: inline-block; min-width: 4.5rem; color: #2450a8; text-transform: uppercase }
p { margin: .25rem 0 } small { color: #5b6070 } a { color: #2450a8 }
pre { background: #f4f5f8; padding: .75rem; overflow: auto; font-size: 13px; border-radius: 6px } summary { cursor: pointer; color: #5b6070; font-size: 13px }
@media (prefers-color-scheme: dark) { body { color: #e6e7ec; background: #15161b } b, a { color: #8fb1ff } section { border-color: #32343e } small, summary { color: #a3a7b5 } pre { background: #1f2129 } }
`;

/** The page: one file, no script, nothing from elsewhere. */
export function apiPage(document: OpenApiDocument): string {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => ({ path, method, ...one })),
  );
  const isHousekeeping = (tag: string): number => (tag === 'operations' ? 1 : 0);
  const tags = [...new Set(operations.flatMap(({ tags: [tag = ''] }) => [tag]))].sort(
    (a, b) => isHousekeeping(a) - isHousekeeping(b),
  );
  const anchor = (tag: string): string => tag.replaceAll(/\W/g, '');
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Grandstand API</title>',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<style>${STYLE}</style></head><body><h1>Grandstand API</h1>`,
    `<p>${escape(document.info.description)}</p>`,
    `<pre>${escape(EXAMPLE)}</pre>`,
    '<nav>',
    ...tags.map((tag) => `<a href="#${anchor(tag)}">${escape(tag)}</a>`),
    '<a href="#shapes">Shapes</a><a href="/api/openapi.json">OpenAPI 3.1</a></nav>',
    ...tags.flatMap((tag) => [
      `<h2 id="${anchor(tag)}">${escape(tag)}</h2>`,
      ...operations.filter(({ tags: [own] }) => own === tag).map(section),
    ]),
    '<h2 id="shapes">Shapes</h2>',
    ...Object.entries(document.components.schemas).map(([name, schema]) => details(name, schema)),
    '</body></html>',
  ].join('\n');
}

const EXAMPLE = `curl -X PUT HOST:8080/api/v1/seats/demo \\
  -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' -d '{"playerId":"102"}'`;

/** One operation: what it takes, what it answers, and on one line how it may fail. */
function section(
  one: OpenApiOperation & { readonly path: string; readonly method: string },
): string {
  const answers = Object.entries(one.responses).map(([status, answer]) => {
    const [content] = Object.entries(answer.content ?? {});
    const [type = '', { schema } = {}] = content ?? [];
    return { status, description: answer.description, type, schema };
  });
  const isProblem = ({ type }: { readonly type: string }): boolean =>
    type === 'application/problem+json';
  const problems = answers.filter(isProblem).map(({ status, description }) => {
    return `${status} ${description}`;
  });
  return [
    `<section><h3><b>${escape(one.method)}</b>${escape(one.path)}</h3>`,
    `<p>${escape(one.summary)}. <small>${escape(one.description)}</small></p>`,
    one.requestBody === undefined ? '' : details('Body', one.requestBody),
    ...answers
      .filter((answer) => !isProblem(answer))
      .map(({ status, description, type, schema }) =>
        type === 'application/json' && schema !== undefined
          ? details(`${status} ${description}`, schema)
          : `<p><small>${escape(`${status} ${description}`)}</small></p>`,
      ),
    problems.length === 0 ? '' : `<p><small>Problems: ${escape(problems.join(', '))}</small></p>`,
    '</section>',
  ].join('');
}

function details(title: string, value: unknown): string {
  const text = JSON.stringify(value, undefined, 2);
  return `<details><summary>${escape(title)}</summary><pre>${escape(text)}</pre></details>`;
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
