// Adds the mock device to a process that tests start: NODE_OPTIONS="--import=.../mock-device.mjs".
import { fileURLToPath } from 'node:url';
import { native } from '../../dist/native.js';

native();
process.dlopen({ exports: {} }, fileURLToPath(new URL('../../build/test/srrl-pretend.so', import.meta.url)));
