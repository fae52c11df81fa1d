import java.net.InetAddress;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.naming.ldap.LdapName;
import javax.naming.ldap.Rdn;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

/** Trusts the first certificate it sees and from then on no other, as an app whose user accepts it. */
final class Pin implements X509TrustManager {
    private X509Certificate accepted;

    @Override
    public synchronized void checkServerTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        if (accepted == null) {
            accepted = chain[0];
        } else if (!accepted.equals(chain[0])) {
            throw new CertificateException("another certificate than the one that was accepted");
        }
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String kind) throws CertificateException {
        throw new CertificateException("this is no server");
    }

    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return new X509Certificate[0];
    }

    SSLContext context() throws Exception {
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {this}, null);
        return context;
    }

    SSLSocketFactory sockets() throws Exception {
        return context().getSocketFactory();
    }

    /** Meets the server for the first time; what it shows has to be about the domain, by common name and by SAN. */
    void accept(int port) throws Exception {
        try (Socket plain = new Socket(InetAddress.getLoopbackAddress(), port);
                SSLSocket secure = (SSLSocket) sockets().createSocket(plain, Gateway.DOMAIN, port, true)) {
            secure.setSoTimeout(Gateway.PATIENCE_MS);
            secure.startHandshake();
            Check.equal("version of TLS", "TLSv1.3", secure.getSession().getProtocol());
        }
        List<Object> commonNames = new ArrayList<>();
        for (Rdn part : new LdapName(accepted.getSubjectX500Principal().getName()).getRdns()) {
            if (part.getType().equalsIgnoreCase("CN")) {
                commonNames.add(part.getValue());
            }
        }
        Check.equal("common names of the certificate", List.of(Gateway.DOMAIN), commonNames);
        Check.contains("other names of the certificate", Gateway.DOMAIN,
                String.valueOf(accepted.getSubjectAlternativeNames()));
        accepted.checkValidity();
    }
}
