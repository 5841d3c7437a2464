/**
 * From the claims of a token that verified to who may do what. Pure. Roles of another issuer are
 * mapped from any claim, `groups` as well as `realm_access.roles`.
 */
import { z } from 'zod';
import type { AdmissionRequest, Identity } from '../admission.ts';
import type { RefusalCode } from './refusals.ts';

/** A role that a token can give. */
export type Role = Identity['role'];

/** Roles by name. */
export const ROLES = ['presenter', 'observer', 'streamer', 'operator'] as const satisfies Role[];

/** Where in the claims things are. */
export type ClaimRules = {
  /** Claim with the role or with a list of groups: its name, or a path with dots. */
  readonly roleClaim: string;
  /** Claim with the ids of streamers. */
  readonly streamersClaim: string;
  /** Values of the role claim that give a role; where left out, the names of the roles do. */
  readonly roles?: Readonly<Partial<Record<Role, readonly string[] | undefined>>> | undefined;
};

/** Roles that may come by a listener, the strongest first. An SFU comes with a streamer's token. */
const ROLES_OF_LISTENER: Readonly<Record<AdmissionRequest['kind'], readonly Role[]>> = {
  player: ['operator', 'presenter', 'observer'],
  streamer: ['streamer'],
  sfu: ['streamer'],
};

const nameSchema = z.string().min(1).max(256);
const streamersSchema = z.array(nameSchema).max(256);
const roleValueSchema = z.union([z.string().max(4096), z.array(z.string().max(4096)).max(2000)]);

/** Whether someone of that role may come by that listener. */
export function mayComeBy(listener: AdmissionRequest['kind'], role: Role): boolean {
  return ROLES_OF_LISTENER[listener].includes(role);
}

/**
 * Who the bearer is on that listener. Ids are of streamers, as in `subscribe`, not of broadcasts,
 * which are slugs of them; a token without them is for all.
 *
 * @param claims payload of a token whose signature and times are good
 */
export function identityFromClaims(
  claims: Readonly<Record<string, unknown>>,
  listener: AdmissionRequest['kind'],
  rules: ClaimRules,
): Omit<Identity, 'expiresMs'> | RefusalCode {
  const subject = nameSchema.optional().safeParse(claims['sub']);
  const streamers = streamersSchema.optional().safeParse(claimAt(claims, rules.streamersClaim));
  const value = roleValueSchema.optional().safeParse(claimAt(claims, rules.roleClaim));
  if (!subject.success || !streamers.success || !value.success) {
    return 'claims';
  }
  const roles = rolesOf(valuesOf(value.data, rules.roleClaim), rules.roles);
  const role = ROLES_OF_LISTENER[listener].find((candidate) => roles.includes(candidate));
  if (role === undefined) {
    return roles.length === 0
      ? 'no_role'
      : listener === 'player'
        ? 'not_on_players'
        : 'not_on_streamers';
  }
  return {
    kind: 'identity',
    role,
    subject: subject.data,
    ...(streamers.data === undefined ? {} : { streamerIds: streamers.data }),
  };
}

/** A claim by its name (`https://example.com/roles` has dots of its own), else by path. */
function claimAt(claims: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(claims, name)) {
    return claims[name];
  }
  return name.split('.').reduce<unknown>((value, key) => {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, key);
    return isThere ? (value as Record<string, unknown>)[key] : undefined;
  }, claims);
}

function valuesOf(value: string | readonly string[] | undefined, claim: string): readonly string[] {
  if (typeof value !== 'string') {
    return value ?? [];
  }
  // Scopes are one text with spaces between (RFC 8693 §4.2); names of groups may hold spaces.
  return claim === 'scope' || claim === 'scp' ? value.split(' ') : [value];
}

function rolesOf(values: readonly string[], mapped: ClaimRules['roles']): readonly Role[] {
  const isMapped = mapped !== undefined && Object.values(mapped).some((list) => list !== undefined);
  return ROLES.filter((role) =>
    (isMapped ? (mapped[role] ?? []) : [role]).some((wanted) => values.includes(wanted)),
  );
}
