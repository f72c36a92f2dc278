// How much room V8 gives to objects that are new.

import { setFlagsFromString } from 'node:v8'

/**
 * From here on the young generation stays as large as loading has made it. Next to nothing that serving makes lives longer than its read;
 * more room would only let what logins leave behind grow old, and be kept: 20 KiB an idle client instead of 10 (`npm run bench`).
 */
export function keepYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
}
