/**
 * Rules of CMAF (ISO/IEC 23000-19) and of our delivery checklist §3 on one track's header and its
 * consecutive segments. The checks follow the house's `cmaf_lint.mjs`; boxes are read here by hand,
 * apart from packager/cmaf, so that a mistake there cannot hide.
 */

/** A box: its fourcc, where it begins in its parent, and what is inside. */
type Box = {
  readonly type: string;
  readonly at: number;
  readonly size: number;
  readonly body: DataView;
};

type Header = {
  readonly trackId: number;
  readonly handler: string;
  readonly defaultDuration: number;
  readonly defaultSize: number;
  readonly defaultFlags: number;
};

/** Samples of a trun with the flags of the first. */
type Run = {
  readonly dataOffset: number | undefined;
  readonly duration: number;
  readonly bytes: number;
  readonly firstFlags: number;
};

const TOP_LEVEL = new Set(['styp', 'prft', 'emsg', 'moof', 'mdat']);
const NON_SYNC = 0x0001_0000;

/**
 * What `init` and `segments` (of one track, in order, without a hole) break; empty where all is
 * well. With `mode` `part`, the first sample of each need not be a sync sample.
 */
export function lintCmaf(
  init: Uint8Array,
  segments: readonly Uint8Array[],
  mode: 'segment' | 'part' = 'segment',
): string[] {
  const faults: string[] = [];
  const report = (fault: string): void => void faults.push(fault);
  try {
    const header = lintInit(init, report);
    let expected: number | undefined;
    for (const [index, segment] of segments.entries()) {
      const name = `${mode} ${index}`;
      expected = lintSegment(segment, header, expected, mode === 'segment', (fault) => {
        report(`${name}: ${fault}`);
      });
    }
  } catch (error) {
    report(`cannot be read: ${String(error)}`);
  }
  return faults;
}

/** §7.3.1: `ftyp moov`, one track, no samples in the header. */
function lintInit(bytes: Uint8Array, report: (fault: string) => void): Header {
  const [ftyp, moov, ...others] = boxes(viewOf(bytes));
  if (ftyp?.type !== 'ftyp' || moov?.type !== 'moov' || others.length > 0) {
    throw new Error('a header is ftyp and moov');
  }
  lintBrands(brandsOf(ftyp), report);
  const tracks = boxes(moov.body).filter(({ type }) => type === 'trak');
  if (tracks.length !== 1) {
    report(`init: ${tracks.length} tracks`);
  }
  const track = tracks[0] ?? moov;
  lintTrack(track, report);
  const tkhd = descend(track, ['tkhd']).body;
  const trex = descend(moov, ['mvex', 'trex']).body;
  return {
    trackId: tkhd.getUint32(tkhd.getUint8(0) === 1 ? 20 : 12),
    handler: fourcc(descend(track, ['mdia', 'hdlr']).body, 8),
    defaultDuration: trex.getUint32(12),
    defaultSize: trex.getUint32(16),
    defaultFlags: trex.getUint32(20),
  };
}

/** §7.2: a CMAF structural brand, and ISO/IEC 14496-12 of 2012 or later. */
function lintBrands(brands: readonly string[], report: (fault: string) => void): void {
  if (!brands.includes('cmfc') && !brands.includes('cmf2')) {
    report(`init: no CMAF brand in ${brands.join(',')}`);
  }
  if (!brands.some((brand) => /^iso[6-9a-z]$/.test(brand))) {
    report(`init: no brand iso6 or later in ${brands.join(',')}`);
  }
}

/** §7.5: sample tables without samples, at most one offset edit. */
function lintTrack(track: Box, report: (fault: string) => void): void {
  const stbl = descend(track, ['mdia', 'minf', 'stbl']);
  for (const table of ['stts', 'stsc', 'stco']) {
    if (descend(stbl, [table]).body.getUint32(4) !== 0) {
      report(`init: ${table} has entries`);
    }
  }
  const entry = boxes(descend(stbl, ['stsd']).body, 8)[0]?.type ?? '';
  if (!['avc1', 'hvc1', 'av01', 'mp4a'].includes(entry)) {
    report(`init: sample entry ${entry} (Apple 1.10 wants avc1, hvc1, av01)`);
  }
  const edits = boxes(track.body).some(({ type }) => type === 'edts')
    ? descend(track, ['edts', 'elst']).body.getUint32(4)
    : 0;
  if (edits > 1) {
    report(`init: ${edits} edits`);
  }
}

/** §7.3.2: a row of chunks on one timeline; gives the decode time that the next begins at. */
function lintSegment(
  bytes: Uint8Array,
  header: Header,
  expected: number | undefined,
  mustBeginInSync: boolean,
  report: (fault: string) => void,
): number | undefined {
  const row = boxes(viewOf(bytes));
  for (const { type } of row.filter((box) => !TOP_LEVEL.has(box.type))) {
    report(`box ${type} has no place here`);
  }
  const moofs = row.filter(({ type }) => type === 'moof');
  if (moofs.length === 0 || moofs.length !== row.filter(({ type }) => type === 'mdat').length) {
    report(`${moofs.length} moof do not match the mdat`);
  }
  let next = expected;
  for (const [index, moof] of moofs.entries()) {
    const mdat = row[row.indexOf(moof) + 1];
    const chunk = lintChunk(moof, mdat, header, (fault) => {
      report(`chunk ${index}: ${fault}`);
    });
    if (next !== undefined && chunk.start !== next) {
      report(`chunk ${index}: begins at ${chunk.start}, the one before ended at ${next}`);
    }
    const isSync = (chunk.firstFlags & NON_SYNC) === 0;
    if (mustBeginInSync && index === 0 && header.handler === 'vide' && !isSync) {
      report('the first sample is no sync sample');
    }
    next = chunk.start + chunk.duration;
  }
  return next;
}

/** §7.3.2.3: one moof with one traf with one trun, and its mdat right behind it. */
function lintChunk(
  moof: Box,
  mdat: Box | undefined,
  header: Header,
  report: (fault: string) => void,
): { start: number; duration: number; firstFlags: number } {
  const trafs = boxes(moof.body).filter(({ type }) => type === 'traf');
  const truns = trafs.flatMap((traf) => boxes(traf.body)).filter(({ type }) => type === 'trun');
  if (trafs.length !== 1 || truns.length !== 1) {
    report(`${trafs.length} traf, ${truns.length} trun`);
  }
  const tfdt = descend(moof, ['traf', 'tfdt']).body;
  if (tfdt.getUint8(0) !== 1) {
    report('tfdt is not version 1');
  }
  const defaults = readTfhd(descend(moof, ['traf', 'tfhd']).body, header, report);
  const run = readTrun(descend(moof, ['traf', 'trun']).body, defaults);
  if (mdat?.type !== 'mdat') {
    report('moof is not followed by mdat');
  } else {
    if (moof.at + (run.dataOffset ?? 0) !== mdat.at + mdat.size - mdat.body.byteLength) {
      report('data_offset does not point to the first byte of mdat');
    }
    if (run.bytes !== mdat.body.byteLength) {
      report(`samples have ${run.bytes} bytes, mdat has ${mdat.body.byteLength}`);
    }
  }
  return {
    start: Number(tfdt.getBigUint64(4)),
    duration: run.duration,
    firstFlags: run.firstFlags,
  };
}

/** ISO/IEC 14496-12 §8.8.7: what of the header's defaults a fragment replaces. */
function readTfhd(tfhd: DataView, header: Header, report: (fault: string) => void): Header {
  const flags = tfhd.getUint32(0) & 0xff_ffff;
  if ((flags & 0x02_0000) === 0 || (flags & 1) !== 0) {
    report('default-base-is-moof is not set');
  }
  if (tfhd.getUint32(4) !== header.trackId) {
    report(`track ${tfhd.getUint32(4)} in a file of track ${header.trackId}`);
  }
  let at = (flags & 2) === 0 ? 8 : 12;
  const field = (flag: number, fallback: number): number => {
    if ((flags & flag) === 0) {
      return fallback;
    }
    at += 4;
    return tfhd.getUint32(at - 4);
  };
  return {
    ...header,
    defaultDuration: field(0x08, header.defaultDuration),
    defaultSize: field(0x10, header.defaultSize),
    defaultFlags: field(0x20, header.defaultFlags),
  };
}

/** ISO/IEC 14496-12 §8.8.8. */
function readTrun(trun: DataView, defaults: Header): Run {
  const flags = trun.getUint32(0) & 0xff_ffff;
  const count = trun.getUint32(4);
  let at = 8;
  const next = (flag: number, fallback: number): number => {
    if ((flags & flag) === 0) {
      return fallback;
    }
    at += 4;
    return trun.getUint32(at - 4);
  };
  const dataOffset = (flags & 1) === 0 ? undefined : next(1, 0);
  const firstSampleFlags = (flags & 4) === 0 ? undefined : next(4, 0);
  let duration = 0;
  let bytes = 0;
  let firstFlags = firstSampleFlags ?? defaults.defaultFlags;
  for (let index = 0; index < count; index += 1) {
    duration += next(0x100, defaults.defaultDuration);
    bytes += next(0x200, defaults.defaultSize);
    const sampleFlags = next(0x400, defaults.defaultFlags);
    next(0x800, 0);
    firstFlags = index === 0 && firstSampleFlags === undefined ? sampleFlags : firstFlags;
  }
  return { dataOffset, duration, bytes, firstFlags };
}

/** Boxes that lie side by side in `view` from `from`; throws where one overruns its parent. */
function boxes(view: DataView, from = 0): Box[] {
  const found: Box[] = [];
  for (let at = from; at < view.byteLength;) {
    const short = view.getUint32(at);
    const head = short === 1 ? 16 : 8;
    const size = short === 1 ? Number(view.getBigUint64(at + 8)) : short;
    if (size < head || at + size > view.byteLength) {
      throw new Error(`box ${fourcc(view, at + 4)} of ${size} bytes overruns its parent`);
    }
    const body = new DataView(view.buffer, view.byteOffset + at + head, size - head);
    found.push({ type: fourcc(view, at + 4), at, size, body });
    at += size;
  }
  return found;
}

function descend(box: Box, path: readonly string[]): Box {
  return path.reduce((parent, type) => {
    const child = boxes(parent.body).find((each) => each.type === type);
    if (child === undefined) {
      throw new Error(`${parent.type} has no ${type}`);
    }
    return child;
  }, box);
}

/** Major and compatible brands of ftyp or styp. */
function brandsOf({ body }: Box): string[] {
  return Array.from({ length: body.byteLength / 4 }, (_, index) => fourcc(body, index * 4)).filter(
    (_, index) => index !== 1,
  );
}

function fourcc(view: DataView, at: number): string {
  return Array.from({ length: 4 }, (_, index) =>
    String.fromCharCode(view.getUint8(at + index)),
  ).join('');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
