// Numbers for people.

/** A rate in bits per second, from bytes per second: `[number, unit]`. */
export function rate(bytes) {
  const bits = 8 * bytes;
  if (bits < 999_500) return [Math.round(bits / 1000).toString(), 'kbit/s'];
  return [(bits / 1e6).toFixed(bits < 9.95e6 ? 2 : 1), 'Mbit/s'];
}

/** A time in milliseconds: `[number, unit]`. */
export function time(ms) {
  if (ms === null || ms === undefined) return ['–', ''];
  return ms < 1000 ? [Math.round(ms).toString(), 'ms'] : [(ms / 1000).toFixed(1), 's'];
}

export const count = number => number.toLocaleString('en').replaceAll(',', '\u202f');

export const percent = share => `${Math.round(100 * share)} %`;

export function duration(ms) {
  const seconds = Math.floor(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
