/** Reads V8's .cpuprofile: which of our folders the samples belong to. Pure. */
import { z } from 'zod';

const profileSchema = z.looseObject({
  nodes: z.array(
    z.looseObject({
      id: z.number(),
      callFrame: z.looseObject({ functionName: z.string(), url: z.string() }),
      children: z.array(z.number()).optional(),
    }),
  ),
  samples: z.array(z.number()),
  timeDeltas: z.array(z.number()),
});

/**
 * Busy seconds by folder. A sample in Node or a library counts for its nearest caller that is
 * ours; what has none counts as `runtime` (garbage collection, the event loop). Idle is left out,
 * and so is all but the `wallS` seconds that end `tailS` before the profile does.
 */
export function secondsByFolder(
  value: unknown,
  folders: readonly string[],
  window: { readonly wallS: number; readonly tailS: number },
): Map<string, number> {
  const profile = profileSchema.parse(value);
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const parents = new Map(
    profile.nodes.flatMap((node) =>
      (node.children ?? []).map((child) => [child, node.id] as const),
    ),
  );
  const owner = (id: number): string => {
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
      const url = nodes.get(at)?.callFrame.url ?? '';
      const folder = url.includes('/node_modules/')
        ? undefined
        : folders.find((name) => url.includes(`/${name}/`));
      if (folder !== undefined) {
        return folder;
      }
    }
    return 'runtime';
  };
  const sums = new Map<string, number>();
  const totalUs = profile.timeDeltas.reduce((sum, delta) => sum + delta, 0);
  let atUs = 0;
  profile.samples.forEach((id, index) => {
    atUs += profile.timeDeltas[index] ?? 0;
    const beforeEndS = (totalUs - atUs) / 1e6;
    if (beforeEndS < window.tailS || beforeEndS > window.tailS + window.wallS) {
      return;
    }
    const name = nodes.get(id)?.callFrame.functionName;
    if (name === '(idle)' || name === '(program)' || name === '(root)') {
      return;
    }
    const folder = owner(id);
    sums.set(folder, (sums.get(folder) ?? 0) + (profile.timeDeltas[index] ?? 0) / 1e6);
  });
  return sums;
}
