/**
 * Redis as the roles use it: a private server where no URL is configured, and a small store of
 * expiring keys and one hash. The only file besides jobs.ts that knows ioredis.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { startChild } from './childProcess.ts';
import { errorText, GatewayError } from './errors.ts';
import { type Closeable, pause } from './lifecycle.ts';
import type { Logger } from './logger.ts';

/** Where Redis listens. */
export type RedisLocation =
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'socket'; readonly path: string };

/** What the roles need of Redis. Values are text; parsing is the caller's. */
export interface KeyValueStore extends Closeable {
  get(key: string): Promise<string | undefined>;
  /** Sets a key that expires after `ttlMs`. */
  lease(key: string, value: string, ttlMs: number): Promise<void>;
  /**
   * Sets the key where nobody has, for `ttlMs`; the first to ask decides.
   *
   * @returns the value that holds, ours or the earlier one
   */
  claim(key: string, value: string, ttlMs: number): Promise<string | undefined>;
  remove(key: string): Promise<void>;
  /** Keys that begin with `prefix`, with their values. */
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
  hashGet(hash: string, field: string): Promise<string | undefined>;
  hashSet(hash: string, field: string, value: string): Promise<void>;
  /** Sets a field that is not there yet; false where it is. */
  hashSetNew(hash: string, field: string, value: string): Promise<boolean>;
  /** Sets a field that holds `before`; false where it holds something else. */
  hashReplace(hash: string, field: string, before: string, next: string): Promise<boolean>;
  hashRemove(hash: string, field: string): Promise<void>;
  hashAll(hash: string): Promise<ReadonlyMap<string, string>>;
}

const START_TRIES = 100;
const START_INTERVAL_MS = 50;

/**
 * Starts a private `redis-server` on a unix socket in `directory`, append-only, never evicting.
 *
 * @throws GatewayError `redis_unavailable` where it does not answer within 5 s
 */
export async function startPrivateRedis(
  directory: string,
  logger: Logger,
): Promise<{
  readonly location: RedisLocation;
  readonly child: Closeable;
  readonly exited: Promise<unknown>;
}> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, 'redis.sock');
  if (Buffer.byteLength(path) > 107) {
    throw new GatewayError(
      'bad_config',
      `the data directory's path is too long for a unix socket: ${path}`,
    );
  }
  const child = startChild('redis-server', [
    ...['--port', '0', '--unixsocket', path, '--unixsocketperm', '700', '--dir', directory],
    ...[
      '--save',
      '',
      '--appendonly',
      'yes',
      '--maxmemory-policy',
      'noeviction',
      '--daemonize',
      'no',
    ],
    ...['--logfile', join(directory, 'redis.log'), '--pidfile', join(directory, 'redis.pid')],
  ]);
  const location: RedisLocation = { kind: 'socket', path };
  const ended = new AbortController();
  void child.exited.then(() => {
    ended.abort();
  });
  for (let attempt = 0; attempt < START_TRIES && !ended.signal.aborted; attempt += 1) {
    if (await answers(location)) {
      logger.info({ socket: path }, 'private redis-server runs');
      return { location, child, exited: child.exited };
    }
    await pause(START_INTERVAL_MS);
  }
  await child.close('did not answer');
  throw new GatewayError(
    'redis_unavailable',
    `the private redis-server did not answer on ${path}; see ${join(directory, 'redis.log')} ` +
      `(another gateway on the same data directory?) ${child.stderrTail().join(' ')}`,
  );
}

/** Connection options for ioredis; commands wait for at most one reconnect of `retryMs` steps. */
export function redisOptions(location: RedisLocation): Record<string, unknown> {
  const retryStrategy = (times: number): number => Math.min(times * 100, 1000);
  if (location.kind === 'socket') {
    return { path: location.path, maxRetriesPerRequest: null, retryStrategy };
  }
  const url = new URL(location.url);
  return {
    host: url.hostname,
    port: url.port === '' ? 6379 : Number(url.port),
    ...(url.username === '' ? {} : { username: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: decodeURIComponent(url.password) }),
    ...(url.pathname.length > 1 ? { db: Number(url.pathname.slice(1)) } : {}),
    ...(url.protocol === 'rediss:' ? { tls: {} } : {}),
    maxRetriesPerRequest: null,
    retryStrategy,
  };
}

/** Connects a store. Commands fail after 2 s while Redis is away; the connection comes back by itself. */
export async function connectStore(
  location: RedisLocation,
  logger: Logger,
): Promise<KeyValueStore> {
  const client = new Redis({ ...redisOptions(location), commandTimeout: 2000, lazyConnect: true });
  client.on('error', (error: unknown) => {
    logger.debug({ error: errorText(error) }, 'redis connection');
  });
  try {
    await client.connect();
  } catch (error) {
    client.disconnect();
    throw new GatewayError('redis_unavailable', `Redis does not answer: ${errorText(error)}`, {
      cause: error,
    });
  }
  return {
    async get(key) {
      return (await client.get(key)) ?? undefined;
    },
    async lease(key, value, ttlMs) {
      await client.set(key, value, 'PX', ttlMs);
    },
    async claim(key, value, ttlMs) {
      // SET NX GET in one command needs Redis 7; a transaction does it for every version.
      const transaction = client.multi().set(key, value, 'PX', ttlMs, 'NX').get(key);
      const [, held] = (await transaction.exec()) ?? [];
      const [error, text] = held ?? [];
      if (error != null) {
        throw error;
      }
      return typeof text === 'string' ? text : undefined;
    },
    async remove(key) {
      await client.del(key);
    },
    list: (prefix) => scan(client, prefix),
    async hashGet(hash, field) {
      return (await client.hget(hash, field)) ?? undefined;
    },
    async hashSet(hash, field, value) {
      await client.hset(hash, field, value);
    },
    async hashSetNew(hash, field, value) {
      return (await client.hsetnx(hash, field, value)) === 1;
    },
    async hashReplace(hash, field, before, next) {
      return (await client.eval(HASH_REPLACE, 1, hash, field, before, next)) === 1;
    },
    async hashRemove(hash, field) {
      await client.hdel(hash, field);
    },
    async hashAll(hash) {
      return new Map(Object.entries(await client.hgetall(hash)));
    },
    async close() {
      client.disconnect();
      await Promise.resolve();
    },
  };
}

/** What replicas of one role share: keys with one atomic write, counters, and channels. */
export interface SharedStore extends Closeable {
  /**
   * Sets `key` to `next` for `ttlMs` where it holds `expected`; undefined stands for no value.
   *
   * @returns what it holds afterwards
   */
  compareAndSet(
    key: string,
    expected: string | undefined,
    next: string | undefined,
    ttlMs: number,
  ): Promise<string | undefined>;
  get(key: string): Promise<string | undefined>;
  list(prefix: string): Promise<ReadonlyMap<string, string>>;
  increment(key: string): Promise<number>;
  /** To all who listen now, the sender too; at most once. */
  publish(channel: string, message: string): Promise<void>;
  /** Resolves when nothing published from now on is missed. The result stops it. */
  subscribe(channel: string, listener: (message: string) => void): Promise<() => void>;
}

/** One step on the server: other clients see the key before it or after it. */
const COMPARE_AND_SET = `
local held = redis.call('GET', KEYS[1])
local expected = ARGV[1] == '1' and ARGV[2]
if held ~= expected then return held end
if ARGV[3] == '1' then
  redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
  return ARGV[4]
end
redis.call('DEL', KEYS[1])
return false`;
/** The same for a field of a hash, which is there. */
const HASH_REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1`;
/** Published and not yet taken by Redis, in all (bytes, about). */
const MAX_UNSENT_BYTES = 64 << 20;

/**
 * Connects a shared store: one connection for commands, one that listens. While Redis is away every
 * command fails at once, none is kept to be sent later; both connections come back by themselves.
 *
 * @throws GatewayError `redis_unavailable`
 */
export async function connectSharedStore(
  location: RedisLocation,
  logger: Logger,
): Promise<SharedStore> {
  const options = {
    ...redisOptions(location),
    lazyConnect: true,
    // What was said before a break is said by then, or never: frames come once, or not at all.
    autoResendUnfulfilledCommands: false,
  };
  const client = new Redis({ ...options, commandTimeout: 2000, enableOfflineQueue: false });
  const ear = new Redis(options);
  const listeners = new Map<string, Set<(message: string) => void>>();
  let unsentBytes = 0;
  for (const connection of [client, ear]) {
    connection.on('error', (error: unknown) => {
      logger.debug({ error: errorText(error) }, 'redis connection of replicas');
    });
  }
  ear.on('message', (channel: string, message: string) => {
    for (const listener of listeners.get(channel) ?? []) {
      listener(message);
    }
  });
  try {
    await Promise.all([client.connect(), ear.connect()]);
  } catch (error) {
    client.disconnect();
    ear.disconnect();
    throw new GatewayError('redis_unavailable', `Redis does not answer: ${errorText(error)}`, {
      cause: error,
    });
  }
  return {
    async compareAndSet(key, expected, next, ttlMs) {
      const flags = [expected, next].flatMap((value) =>
        value === undefined ? ['0', ''] : ['1', value],
      );
      const ttl = String(Math.max(1, Math.ceil(ttlMs)));
      const held = await client.eval(COMPARE_AND_SET, 1, key, ...flags, ttl);
      return typeof held === 'string' ? held : undefined;
    },
    async get(key) {
      return (await client.get(key)) ?? undefined;
    },
    list: (prefix) => scan(client, prefix),
    increment: (key) => client.incr(key),
    async publish(channel, message) {
      if (unsentBytes + message.length > MAX_UNSENT_BYTES) {
        throw new GatewayError('too_busy', 'Redis takes messages more slowly than they come');
      }
      unsentBytes += message.length;
      try {
        await client.publish(channel, message);
      } finally {
        unsentBytes -= message.length;
      }
    },
    async subscribe(channel, listener) {
      const others = listeners.get(channel) ?? new Set();
      listeners.set(channel, others.add(listener));
      await ear.subscribe(channel);
      return () => {
        others.delete(listener);
        if (others.size === 0 && listeners.get(channel) === others) {
          listeners.delete(channel);
          ear.unsubscribe(channel).catch(() => undefined);
        }
      };
    },
    async close() {
      client.disconnect();
      ear.disconnect();
      await Promise.resolve();
    },
  };
}

async function scan(client: Redis, prefix: string): Promise<ReadonlyMap<string, string>> {
  const keys: string[] = [];
  let cursor = '0';
  do {
    const [next, found] = await client.scan(cursor, 'MATCH', `${prefix}*`, 'COUNT', 500);
    keys.push(...found);
    cursor = next;
  } while (cursor !== '0');
  const values = keys.length === 0 ? [] : await client.mget(keys);
  const result = new Map<string, string>();
  keys.forEach((key, index) => {
    const value = values[index];
    if (value != null) {
      result.set(key, value);
    }
  });
  return result;
}

async function answers(location: RedisLocation): Promise<boolean> {
  const client = new Redis({
    ...redisOptions(location),
    retryStrategy: () => null,
    lazyConnect: true,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.ping();
    return true;
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
