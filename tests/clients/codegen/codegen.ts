import type { CodegenConfig } from '@graphql-codegen/cli';

const config: CodegenConfig = {
  schema: process.env.CLOAKROOM_URL ?? 'http://127.0.0.1:8000/graphql',
  documents: 'codegen/main.ts',
  importExtension: '.js',
  emitLegacyCommonJSImports: false,
  generates: {
    'codegen/generated/': {
      preset: 'client',
      presetConfig: { fragmentMasking: { unmaskFunctionName: 'readFragment' } },
      config: {
        documentMode: 'string',
        useTypeImports: true,
        // Every scalar of the schema; one that is missing is an error.
        strictScalars: true,
        scalars: { DateTime: 'string', SafeInt: 'number', URL: 'string', Upload: 'File' },
      },
    },
  },
};

export default config;
