/**
 * Layers of configuration: defaults (in the schema) < file < environment < flags. Pure: text and
 * environment come in as values. All faults are reported together with path and the got value.
 */
import type { z } from 'zod';
import { GatewayError } from './errors.ts';

/** A leaf of the configuration: `http.port` and its variable `GRANDSTAND_HTTP_PORT`. */
export type ConfigLeaf = {
  readonly path: readonly string[];
  readonly variable: string;
  readonly isText: boolean;
  readonly description: string;
};

type SchemaNode = {
  readonly def?: {
    readonly type?: string;
    readonly innerType?: SchemaNode;
    /** Of a pipe: what goes in, or what comes out of a transformation that stands first. */
    readonly in?: SchemaNode;
    readonly out?: SchemaNode;
  };
  readonly shape?: Readonly<Record<string, SchemaNode>>;
  readonly description?: string;
};

/** Every leaf of an object schema, in order. */
export function configLeaves(schema: z.ZodType): ConfigLeaf[] {
  return leavesOf(schema, []);
}

/**
 * Parses the layers into one frozen configuration.
 *
 * @param layers plain nested objects, weakest first
 * @throws GatewayError `bad_config` naming every fault
 */
export function parseConfig<T extends z.ZodType>(
  schema: T,
  layers: readonly Readonly<Record<string, unknown>>[],
): z.output<T> {
  const merged = layers.reduce<Record<string, unknown>>((sum, layer) => merge(sum, layer), {});
  const result = schema.safeParse(merged);
  if (!result.success) {
    const lines = result.error.issues.map((issue) => {
      const got = issue.path.reduce<unknown>(
        (value, key) => (isRecord(value) ? value[String(key)] : undefined),
        merged,
      );
      return `  ${issue.path.join('.') || '(root)'}: ${issue.message} (got ${shown(got, issue.path)})`;
    });
    throw new GatewayError(
      'bad_config',
      `the configuration has ${lines.length} fault(s):\n${lines.join('\n')}`,
    );
  }
  return result.data;
}

/** A faulty value for the fault's text; what looks like a secret is not shown, wherever it stands. */
function shown(value: unknown, path: readonly PropertyKey[]): string {
  const hide = (key: string, inner: unknown): unknown =>
    /secret|token|password|credential/i.test(key) && typeof inner !== 'object' ? '***' : inner;
  return JSON.stringify(hide(String(path.at(-1) ?? ''), value), hide);
}

/** The layer that the environment gives. Unknown `GRANDSTAND_*` variables are faults, not silence. */
export function configFromEnvironment(
  leaves: readonly ConfigLeaf[],
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const layer: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith('GRANDSTAND_') || text === undefined) {
      continue;
    }
    const leaf = leaves.find((candidate) => candidate.variable === variable);
    if (leaf === undefined) {
      throw new GatewayError('bad_config', `unknown environment variable ${variable}`);
    }
    setPath(layer, leaf.path, leaf.isText ? text : parseValue(text));
  }
  return layer;
}

/** Sets `layer.a.b.c`, making what is missing on the way. */
export function setPath(
  layer: Record<string, unknown>,
  path: readonly string[],
  value: unknown,
): void {
  const [head, ...rest] = path;
  if (head === undefined) {
    return;
  }
  if (rest.length === 0) {
    layer[head] = value;
    return;
  }
  const child = isRecord(layer[head]) ? layer[head] : {};
  layer[head] = child;
  setPath(child, rest, value);
}

function leavesOf(node: SchemaNode, path: readonly string[], description = ''): ConfigLeaf[] {
  const text = node.description ?? description;
  if (node.shape !== undefined) {
    return Object.entries(node.shape).flatMap(([key, child]) => leavesOf(child, [...path, key]));
  }
  if (node.def?.innerType !== undefined) {
    return leavesOf(node.def.innerType, path, text);
  }
  if (node.def?.in !== undefined) {
    const { in: first, out } = node.def;
    return leavesOf(first.def?.type === 'transform' && out !== undefined ? out : first, path, text);
  }
  const variable = [
    'GRANDSTAND',
    ...path.map((key) => key.replaceAll(/([A-Z])/g, '_$1').toUpperCase()),
  ].join('_');
  return [
    {
      path,
      variable,
      isText: node.def?.type === 'string' || node.def?.type === 'enum',
      description: text,
    },
  ];
}

function parseValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function merge(
  below: Record<string, unknown>,
  above: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...below };
  for (const [key, value] of Object.entries(above)) {
    // A section whose keys are all commented out is null in YAML: it says nothing.
    if (value === null) {
      continue;
    }
    const under = result[key];
    result[key] = isRecord(under) && isRecord(value) ? merge(under, value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
