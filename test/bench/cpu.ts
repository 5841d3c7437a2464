/** CPU time of a process from /proc, whatever it is doing. */
import { readFile } from 'node:fs/promises';

/** Kernel ticks per second: 100 on every Linux that Debian ships. */
const TICKS_PER_S = 100;

/** User and system seconds that a process and its threads have used so far. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S;
}
